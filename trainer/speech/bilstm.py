"""The paper's speech emotion network: IS09 windows → TDNN → two BiLSTM layers → self-attention (section 5.3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from trainer.speech.network import Standardizer, read_old_names

MAX_DEVIATIONS = 8.0
"""Features are clamped this many deviations from their mean: a kurtosis can be a thousand times its usual size."""


class _BiLSTM(nn.Module):
    """An LSTM in each direction that never reads padding, though batches are padded.

    Going forward padding comes last and cannot matter; going backward each recording is turned round within its
    own length. That gives what packed sequences give, at half the time, and any graph format can express it.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(inputs, width, batch_first=True)
        self.back = nn.LSTM(inputs, width, batch_first=True)

    def forward(self, x: Tensor, turned: Tensor) -> Tensor:
        """Return both directions' outputs side by side; ``turned`` are the steps (batch, time) in reverse."""

        def turn(y: Tensor) -> Tensor:
            return y.gather(1, turned.unsqueeze(-1).expand(-1, -1, y.shape[2]))

        return torch.cat([self.ahead(x)[0], turn(self.back(turn(x))[0])], dim=2)


class AttentionBiLSTM(nn.Module):
    """TDNN (filter size 16) → BiLSTM(64) twice → self-attention; both pooled over time, side by side → logits.

    What the paper leaves open: the TDNN has as many channels as the LSTM has units, and a rectifier; the
    attention is additive and single-headed (Lin et al. 2017), its dimension that of the hidden layer which
    scores each window; the second BiLSTM's output is averaged over time to stand beside the attention's.
    """

    def __init__(
        self,
        labels: int,
        *,
        features: int = 384,
        width: int = 64,
        attention: int = 128,
        filter_size: int = 16,
        dropout: float = 0.2,
        masked: bool = True,
    ) -> None:
        """Make a network with fresh weights.

        Args:
            labels: how many.
            features: of each window.
            width: units of each LSTM, in each direction.
            attention: dimension of the self-attention (the paper's 64 or 128).
            filter_size: windows that the TDNN sees at once.
            dropout: on its output, and on the second-to-last layer.
            masked: False treats padding as sound, as the paper does.
        """
        super().__init__()
        self.masked = masked
        self.standardizer = Standardizer(features)
        self.register_load_state_dict_pre_hook(read_old_names)  # type: ignore[no-untyped-call]
        self.margin = nn.ZeroPad1d(((filter_size - 1) // 2, filter_size // 2))
        self.tdnn = nn.Conv1d(features, width, filter_size)
        self.first = _BiLSTM(width, width)
        self.second = _BiLSTM(2 * width, width)
        self.scorer = nn.Sequential(nn.Linear(2 * width, attention), nn.Tanh(), nn.Linear(attention, 1))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * width, labels)

    def standardise(self, windows: Sequence[Tensor]) -> None:
        """Learn mean and deviation of every feature from ``windows``, each (windows, features)."""
        self.standardizer.fit(torch.cat(list(windows)))

    def forward(self, windows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the second-to-last layer (batch, 4 x width).

        Args:
            windows: functionals (batch, windows, features).
            mask: 1 where there is a window, 0 on padding (batch, windows); at least one each.
        """
        if not self.masked:
            mask = torch.ones_like(mask)
        here = mask.unsqueeze(-1)
        x = self.standardizer(windows).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS) * here
        x = self.dropout(torch.relu(self.tdnn(self.margin(x.transpose(1, 2)))).transpose(1, 2))
        step = torch.arange(x.shape[1], device=x.device)
        length = mask.sum(1, keepdim=True).to(torch.int64)
        turned = torch.where(step < length, length - 1 - step, step)
        x = self.second(self.first(x, turned), turned)
        score = self.scorer(x).masked_fill(here == 0, -1e4)
        attended = (score.softmax(1) * x).sum(1)
        mean = (x * here).sum(1) / here.sum(1)
        embedding = torch.cat([mean, attended], dim=1)
        return self.classifier(self.dropout(embedding)), embedding


def collate(examples: Sequence[dict[str, Tensor]], *, length: int | None = None) -> dict[str, Tensor]:
    """Pad ``windows`` of the examples with zeros, to the longest or to ``length``, and join them with a mask."""
    rows = [torch.as_tensor(example["windows"]) for example in examples]
    windows, mask = (pad_sequence(x, batch_first=True) for x in (rows, [row.new_ones(len(row)) for row in rows]))
    more = max(0, (length or 0) - windows.shape[1])
    return {"windows": F.pad(windows, (0, 0, 0, more)), "mask": F.pad(mask, (0, more))}
