"""The cookbook: layers, losses, optimizers and callbacks that nnscratch leaves to you, as you would write them.

Each file is one idea, written against the public API alone. Take a file and change it: every recipe has its formula,
its shapes and its source in the docstring, and the proof that it is right in ``prove``, at the end of the file.

- ``activations``     Tanh, GELU, LeakyReLU, PReLU
- ``normalisation``   LayerNorm, BatchNorm
- ``regularisation``  SpatialDropout, GaussianNoise, L2, LabelSmoothing
- ``images``          PlainConv2D, Conv2D, MaxPool2D, AveragePool2D
- ``augmentation``    RandomShift, RandomDistortion
- ``blocks``          Residual, PerToken, Reshape
- ``sequences``       Embedding, Positions, Last, Recurrent, LSTM, SelfAttention, TransformerBlock
- ``losses``          MeanSquaredError, BinaryCrossEntropy, Hinge
- ``optimizers``      RMSprop, Nesterov, Lion, AdamW, Clipped, RatesByLayer
- ``callbacks``       CosineSchedule, WeightAverage, mixup

``python -m demos.layers`` proves all of them, ``python -m demos.layers.images`` one file, with the full reports.
"""
