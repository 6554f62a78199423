"""How many processors may be used, told by trees of control groups as machines and containers have them."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from edge_runtime.system import processors as module
from edge_runtime.system.processors import _quotas, limit_torch_threads, processors, thread_budget

V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
DISK = "1 0 8:1 / / rw - ext4 /dev/sda1 rw"


def tree(root: Path, groups: str, mounts: list[str], files: dict[str, str]) -> Path:
    own = root / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text(groups)
    (own / "mountinfo").write_text("".join(f"{line}\n" for line in [DISK, *mounts]))
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 2), ("800000 200000", 4), ("1 100000", 1)],
)
def test_quota_of_a_v2_container_is_rounded_up(tmp_path: Path, limit: str, expected: int) -> None:
    """Inside a container its own group is the root, and the root has a limit."""
    assert list(_quotas(tree(tmp_path, "0::/\n", [V2], {"cpu.max": f"{limit}\n"}))) == [expected]


def test_quotas_of_the_groups_around_a_v2_group_count(tmp_path: Path) -> None:
    files = {
        "cpu.stat": "",
        "system.slice/cpu.max": "200000 100000",
        "system.slice/a.service/cpu.max": "max 100000",
        "system.slice/a.service/inner/cpu.max": "700000 100000",
        "system.slice/a.service/inner/below/cpu.max": "10000 100000",
    }
    found = _quotas(tree(tmp_path, "0::/system.slice/a.service/inner\n", [V2], files))
    assert list(found) == [7, 2]


@pytest.mark.parametrize(("quota", "expected"), [("250000", [3]), ("-1", [])])
def test_quota_of_a_v1_group_on_the_host(tmp_path: Path, quota: str, expected: list[int]) -> None:
    files = {
        "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": f"{quota}\n",
        "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "memory/docker/abc/cpu.max": "100000 100000",  # not the group that counts
    }
    groups = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n"
    assert list(_quotas(tree(tmp_path, groups, [V1_MEMORY, V1_CPU], files))) == expected


@pytest.mark.parametrize("begin", ["/docker/abc", "/../abc"])
def test_v1_group_that_the_host_names_is_the_mounted_one_inside_its_container(tmp_path: Path, begin: str) -> None:
    mount = V1_CPU.replace(" / /sys", f" {begin} /sys")
    files = {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}
    assert list(_quotas(tree(tmp_path, "4:cpuacct,cpu:/docker/abc\n", [mount], files))) == [1]


def test_both_versions_at_once_are_read(tmp_path: Path) -> None:
    files = {
        "cpu,cpuacct/x/cpu.cfs_quota_us": "300000",
        "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
        "with blank/y/cpu.max": "200000 100000",
    }
    v2 = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/with\\040blank")
    assert sorted(_quotas(tree(tmp_path, "4:cpu,cpuacct:/x\n0::/y\n", [v2, V1_CPU], files))) == [2, 3]


@pytest.mark.parametrize(
    "text", ["", "\n", "max", "max max", "100000", "a b", "100000 0", "-5 100000", "1 2 3", "0 100000", "é 1", "\0"]
)
def test_limit_that_makes_no_sense_is_ignored(tmp_path: Path, text: str) -> None:
    assert list(_quotas(tree(tmp_path, "0::/\n", [V2], {"cpu.max": text}))) == []


@pytest.mark.parametrize(
    ("groups", "mounts"),
    [("", [V2]), ("nothing\n:\n::\n0:\n", [V2]), ("0::/\n", []), ("0::/\n", ["29", "- cgroup2", V2[:40]])],
)
def test_damaged_or_missing_tables_of_the_system_are_ignored(tmp_path: Path, groups: str, mounts: list[str]) -> None:
    assert list(_quotas(tree(tmp_path, groups, mounts, {"other/cpu.max": "100000 100000"}))) == []
    assert list(_quotas(tmp_path / "nothing here")) == []


@pytest.mark.parametrize(("allowed", "quotas", "expected"), [(64, [1], 1), (64, [8, 3], 3), (2, [8], 2), (5, [], 5)])
def test_the_smallest_of_affinity_and_quotas_is_the_budget(
    monkeypatch: pytest.MonkeyPatch, allowed: int, quotas: list[int], expected: int
) -> None:
    monkeypatch.setattr(module, "_allowed", lambda: allowed)
    monkeypatch.setattr(module, "_quotas", lambda _: iter(quotas))
    assert processors() == expected
    assert thread_budget(None) == expected
    assert thread_budget(7) == 7


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system lets no process choose its processors")
def test_affinity_is_respected() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert processors() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("command", ["trainer.cli", "export.cli"])
def test_torch_is_told_of_a_quota_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    cli = importlib.import_module(command)
    monkeypatch.setattr(cli, "app", lambda: None)
    monkeypatch.setattr(module, "_allowed", lambda: 64)
    monkeypatch.setattr(module, "_quotas", lambda _: iter([3]))
    monkeypatch.setenv("OMP_NUM_THREADS", "12")
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ["OMP_NUM_THREADS"] == "12"
    monkeypatch.delenv("OMP_NUM_THREADS")
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_without_a_quota_torch_decides_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_quotas", lambda _: iter([]))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limit_torch_threads()
    assert "OMP_NUM_THREADS" not in os.environ
