"""A training through `fit` as a contender: it waits after the requested number of steps."""


def contender(value, examples):
    """Returns a function that makes so many steps of an experiment; `fit` runs in a separate thread.

    Args:
      value: The experiment.
      examples: The data, in place of those of the experiment.
    """
    import threading

    from tfpaths import startup

    startup.import_tensorflow()
    import keras

    from tfpaths.runs import build

    go, done = threading.Semaphore(0), threading.Semaphore(0)

    class Gate(keras.callbacks.Callback):
        left = 0

        def on_train_batch_begin(self, batch, logs=None):
            if self.left == 0:
                done.release()
                go.acquire()
            self.left -= 1

    gate = Gate()
    gan = build.build(value, examples.shape)
    batches = examples.batches(value.schedule.batch_size)
    fit = lambda: gan.fit(batches, steps_per_epoch=10**9, verbose=0, callbacks=[gate])  # noqa: E731
    threading.Thread(target=fit, daemon=True).start()
    done.acquire()

    def advance(steps):
        gate.left = steps
        go.release()
        done.acquire()

    return advance
