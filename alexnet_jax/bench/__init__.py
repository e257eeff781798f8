"""Speed measurements of training steps, single layers and the input."""
