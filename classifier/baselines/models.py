"""The baselines' networks in tf-keras: inputs of one crop to its quality, 0..100."""

from typing import Any

from q1net_msroi.classifier.baselines import features

ALPHA = 0.35  # width of MobileNetV2: the narrowest that Keras offers
MOMENTUM = 0.99  # of its BatchNorm: Keras' own 0.999 forgets the start too slowly for runs of thousands of steps
CONTRAST = 1 / 16  # of what the high-pass leaves
UNITS = (64, 64, 32)


def _quality(x: Any) -> Any:
    """Return 100 sigmoid(w x + b), which begins at 50 for every input, the best constant answer."""
    from tf_keras import layers

    return layers.Rescaling(100.0)(layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")(x))


def block_corners() -> Any:
    """Return the dense network over the 35 features: (n, 35) to (n, 1)."""
    from tf_keras import Input, Model, layers

    inputs = Input((features.LENGTH,), name="input_1")
    x = layers.BatchNormalization(scale=False, center=False)(inputs)
    for units in UNITS:
        x = layers.Dense(units, activation="relu")(x)
    return Model(inputs, _quality(x), name="block_corners")


def mobilenet_v2(side: int) -> Any:
    """Return MobileNetV2 without pretrained weights as a regressor: (n, side, side, 3) RGB 0..255 to (n, 1).

    It sees each pixel's difference from the mean of its 3x3 neighbours. On pixels as they are, it was still at chance
    after 600 steps; with these, a head that begins at 50 and BatchNorm before it (the three were not tried apart), it
    had begun to learn after 150.
    """
    from tf_keras import Input, Model, layers
    from tf_keras.applications import MobileNetV2

    inputs = Input((side, side, 3), name="input_1")
    smooth = layers.AveragePooling2D(3, strides=1, padding="same")(inputs)
    contrasts = layers.Rescaling(CONTRAST)(layers.Subtract()([inputs, smooth]))
    base = MobileNetV2(alpha=ALPHA, include_top=False, weights=None, pooling="avg", input_tensor=contrasts)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
    pooled = layers.BatchNormalization(momentum=MOMENTUM)(base.output)
    return Model(inputs, _quality(pooled), name="mobilenet_v2_regressor")
