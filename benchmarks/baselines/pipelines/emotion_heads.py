"""The very networks of speech emotion, text emotion and fusion in torch, as a user of torch would run them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import soundfile
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
    AutoModel,
    PreTrainedTokenizerFast,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from trainer.fusion.gated import GatedFusion
from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion, pool
from trainer.text.network import TextEmotion

PEAK, QUIETEST_PEAK = 0.5, 1e-3
STATE = 320
CERTAIN = [0.0, 0.0, 2.5, 1.0]
"""The evidence of words that are certain: these recognisers state none, and it changes no time."""
SAMPLE_RATE = 16_000


class EmotionHeads:
    """Speech emotion on an encoder's states, text emotion on a transcript, and both fused."""

    def __init__(self, checkpoints: Path) -> None:
        """Load the checkpoints that `trainer fit` wrote."""
        speech, fusion, encoder = (
            json.loads((checkpoints / name).read_text(encoding="utf-8"))
            for name in ("speech/config.json", "fusion/config.json", "text/encoder.json")
        )
        self.labels: list[str] = speech["labels"]
        count = len(self.labels)
        self.speech = SpeechEmotion(count, width=speech["width"], features=speech["features"])
        self.text = TextEmotion(AutoModel.from_config(AutoConfig.for_model(**encoder), add_pooling_layer=False), count)
        self.gated = fusion["kind"] == "fusion-gated"
        block = GatedFusion if self.gated else FusionEmotion
        self.fusion = block(count, speech=self.speech.classifier.in_features, text=self.text.classifier.in_features)
        networks = {"speech": self.speech, "text": self.text, "fusion": self.fusion}
        for part, network in networks.items():
            network.load_state_dict(safetensors.torch.load_file(checkpoints / part / "weights.safetensors"))
            network.eval()
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(checkpoints / "text" / "tokenizer.json"))

    def __call__(self, encoded: Any, samples: int, transcript: str) -> str:
        """Return the fused label.

        Args:
            encoded: output of a transformers encoder, with its hidden states. The last of them went through the
                encoder's final norm; speech emotion does not read that layer.
            samples: length of the waveform; the states of the encoder's padding are not pooled.
            transcript: the recognised words.
        """
        hidden = torch.stack(encoded.hidden_states, 1)[:, :, : -(-samples // STATE)]
        _, speech = self.speech(self.speech.pooled_features(pool(hidden, torch.ones(1, hidden.shape[2]))))
        words = self.tokenizer(transcript, return_tensors="pt")
        _, text = self.text(words["input_ids"], words["attention_mask"])
        told = [torch.tensor([CERTAIN])] if self.gated else []
        logits, _ = self.fusion(speech, text, torch.tensor([[1.0, float(bool(transcript))]]), *told)
        return self.labels[int(logits.argmax())]


class TwoEncoderPasses:
    """A pipeline whose recogniser keeps its encoder's states to itself: speech emotion needs a pass of torch's too."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/whisper-tiny.en (its encoder alone) and ``folder``/checkpoints."""
        torch.set_num_threads(threads)
        whisper = folder / "whisper-tiny.en"
        self.features = WhisperFeatureExtractor.from_pretrained(whisper)
        self._encoder = WhisperForConditionalGeneration.from_pretrained(whisper).eval().model.encoder
        self._heads = EmotionHeads(folder / "checkpoints")

    def transcribe(self, waveform: NDArray[np.float32]) -> str:
        """Return the words in a waveform (samples,) at 16 kHz."""
        raise NotImplementedError

    @torch.inference_mode()
    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        waveform = levelled(path)
        begin = time.perf_counter()
        transcript = self.transcribe(waveform)
        asr_ms = 1000 * (time.perf_counter() - begin)
        features = self.features(waveform, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        encoded = self._encoder(features, output_hidden_states=True)
        return {"transcript": transcript, "label": self._heads(encoded, len(waveform), transcript), "asr_ms": asr_ms}


def levelled(path: str) -> NDArray[np.float32]:
    """Return the recording at ``path``, of 16 kHz, at the peak that speech emotion was trained at."""
    waveform: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return waveform * (PEAK / max(float(np.abs(waveform).max(initial=0.0)), QUIETEST_PEAK))
