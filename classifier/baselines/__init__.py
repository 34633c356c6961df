"""The two baselines of the paper's Figure 4: a MobileNetV2 regressor, and features at block corners (JQE's manner)."""
