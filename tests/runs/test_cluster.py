"""TF_CONFIG: what is accepted, and what is refused by its path."""

import copy
import json
import re

import pytest
import tensorflow as tf

from tfpaths import errors
from tfpaths.runs import cluster

GOOD = {"cluster": {"worker": ["a:2222", "b:2222", "c:2222"]}, "task": {"type": "worker", "index": 1}}
REMOVED = object()


def changed(path, value):
    """`GOOD` as JSON, with another value at a path."""
    config = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    owner = config
    for key in parents:
        owner = owner[int(key) if isinstance(owner, list) else key]
    if value is REMOVED:
        del owner[last]
    else:
        owner[int(last) if isinstance(owner, list) else last] = value
    return json.dumps(config)


BAD_ADDRESSES = ["x", "", "b:", ":2222", "b:port", "b:0", "b:65536", "b:-1", "b:2222 ", "http://b:2222", "::1:2222"]
BAD_ADDRESSES += ["[::1]", "[b]:2222", "[1.2.3.4]:2222", "b:2222\n", "b\x00:2222", "b:2222/"]
OF_ADDRESS = "expected host:port with a port from 1 to 65535, received"
BAD = [
    *(("cluster.worker.1", address, f"cluster.worker.1: {OF_ADDRESS} {address!r}.") for address in BAD_ADDRESSES),
    ("cluster.worker.2", 2222, "cluster.worker.2: expected a text, received 2222."),
    (
        "cluster.worker.2",
        "A:2222",
        "cluster.worker.2: expected another address than that of cluster.worker.0, received",
    ),
    ("cluster.worker", "a:2222", "cluster.worker: expected a list, received 'a:2222'."),
    ("cluster.worker", [], "cluster.worker: expected a list of at least one host:port, received []."),
    ("cluster.worker", None, "cluster.worker: expected a list, received None."),
    ("cluster.worker", {"0": "a:2222"}, "cluster.worker: expected a list, received {'0': 'a:2222'}."),
    ("cluster.worker", REMOVED, "cluster.worker: expected a value, received none."),
    ("cluster.chief", [], "cluster.chief: expected a list of one host:port, received []."),
    ("cluster.chief", ["d:1", "e:1"], "cluster.chief: expected a list of one host:port, received ['d:1', 'e:1']."),
    ("cluster.chief", ["d"], f"cluster.chief.0: {OF_ADDRESS} 'd'."),
    ("cluster.chief", None, "cluster.chief: expected a list, received None."),
    ("cluster.chief", ["b:2222"], "cluster.worker.1: expected another address than that of cluster.chief.0, received"),
    *(
        (f"cluster.{job}", ["d:1"], f"cluster.{job}: expected only the jobs chief and worker, which --strategy=multi_w")
        for job in ("ps", "evaluator", "master", "workers")
    ),
    ("cluster", ["a:2222"], "cluster: expected an object, received ['a:2222']."),
    ("cluster", REMOVED, "cluster: expected a value, received none."),
    ("clutser", {}, "clutser: unknown field; did you mean 'cluster'? Expected one of: cluster, task."),
    ("task", REMOVED, "task: expected a value, received none."),
    ("task", "worker", "task: expected an object, received 'worker'."),
    ("task.type", REMOVED, "task.type: expected a value, received none."),
    ("task.type", "ps", "task.type: expected one of chief, worker, received 'ps'."),
    ("task.type", "wroker", "task.type: expected one of chief, worker, received 'wroker'; did you mean 'worker'?"),
    ("task.type", "chief", "task.type: expected worker, because the cluster has no chief, received 'chief'."),
    ("task.index", REMOVED, "task.index: expected a value, received none."),
    *(
        ("task.index", index, f"task.index: expected an integer, received {index!r}.")
        for index in (None, "one", "-1", "", "1.0", 1.0, True, [1])
    ),
    *(
        (
            "task.index",
            index,
            f"task.index: expected an integer from 0 to 2, the tasks of cluster.worker, received {index}.",
        )
        for index in (-1, 3)
    ),
    ("task.number", 1, "task.number: unknown field. Expected one of: type, index."),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), BAD, ids=[f"{path}-{number}" for number, (path, *_) in enumerate(BAD)]
)
def test_invalid_config_is_one_line_with_its_path(path, value, message):
    with pytest.raises(errors.InputError) as caught:
        cluster.read(changed(path, value))
    assert str(caught.value).startswith(f"TF_CONFIG: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "garbage", "[]", "1", "null", "{}", '{"cluster":'])
def test_missing_config_says_who_writes_it(text):
    message = "TF_CONFIG: expected JSON with a cluster and this process's task, as launch/multi_worker.sh writes it: "
    with pytest.raises(errors.InputError, match=re.escape(message)) as caught:
        cluster.read(text)
    assert str(caught.value).endswith(f", received {repr(text) if text else 'none'}.")
    # The example in the message is valid itself.
    example = re.search(r"\{.*\}\}?(?=, received)", str(caught.value))[0]
    assert cluster.read(example).own.name == "worker 0"


def test_chief_and_workers_are_tasks():
    jobs = {"worker": ["a:1", "[::1]:2222"], "chief": ["c_0.example-1.org:65535"]}
    found = cluster.read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    assert [task.name for task in found.tasks] == ["chief 0", "worker 0", "worker 1"]
    assert (found.own.host, found.own.port) == ("::1", 2222)
    assert [(task.name, task.host, task.port) for task in found.others] == [
        ("chief 0", "c_0.example-1.org", 65535),
        ("worker 0", "a", 1),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("task.index", "1"),  # A shell script may write a text; TensorFlow reads it as a number.
        ("environment", "cloud"),
        ("rpc_layer", "grpc"),
        ("job", {"scale_tier": "CUSTOM"}),
        ("task.cloud", "a1b2"),
        ("task.trial", "1"),
    ],
)
def test_what_other_readers_need_is_ignored(path, value):
    assert cluster.read(changed(path, value)) == cluster.read(json.dumps(GOOD))


def test_tensorflow_reads_the_index_as_we_do(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", changed("task.index", "1"))
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    own = cluster.read(changed("task.index", "1")).own
    assert resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id) == own.address
