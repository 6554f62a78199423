"""Text emotion recognition (the paper's TER): a pretrained language model, fine-tuned."""
