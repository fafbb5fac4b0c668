"""All uses of private names of TensorFlow, Keras and TF-GAN, and all code that depends on their versions."""
