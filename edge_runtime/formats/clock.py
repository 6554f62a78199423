"""Seconds as a clock shows them."""

from __future__ import annotations


def clock(seconds: float, *, decimals: int = 1, hours: bool = False) -> str:
    """Return ``seconds`` as ``m:ss.t``, or ``h:mm:ss.t`` from an hour on.

    Args:
        seconds: from the beginning, not negative.
        decimals: of a second; 0 leaves them out.
        hours: always with hours, of two digits, as subtitles want them.
    """
    whole, fraction = divmod(round(seconds * 10**decimals), 10**decimals)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    tail = f"{second:02d}" + (f".{fraction:0{decimals}d}" if decimals else "")
    if hours:
        return f"{hour:02d}:{minute:02d}:{tail}"
    return f"{hour}:{minute:02d}:{tail}" if hour else f"{minute}:{tail}"
