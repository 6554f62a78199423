"""Recordings as training reads them."""

import numpy as np

from trainer.audio import load_audio


def test_a_file_of_another_rate_and_form_becomes_mono_at_16_khz(tmp_path, clip):
    samples = load_audio(clip(tmp_path / "a.flac", seconds=0.5))
    assert (samples.dtype, samples.shape) == (np.float32, (8000,))
    assert 0.25 < np.abs(samples).max() <= 0.31
