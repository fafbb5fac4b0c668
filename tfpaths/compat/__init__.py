"""The only place for private names of TensorFlow, Keras and TF-GAN, and for questions about their versions."""
