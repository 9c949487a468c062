"""Law: whatever happens during a write, what stands there is the whole old file or the whole new one."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kptool.files import cache_folder, file_digest, write_atomic, write_text


def fill(text: str, then: type[BaseException] | None = None) -> Callable[[Path], None]:
    def write(temporary: Path) -> None:
        with temporary.open("w") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            if then is not None:
                raise then("the disk is full")
            file.write(text[len(text) // 2 :])

    return write


def left(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_write_that_breaks_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    write_text(tmp_path / "a.csv", "old")
    with pytest.raises(error):
        write_atomic(tmp_path / "a.csv", fill("a long new text", error))
    assert left(tmp_path) == {"a.csv": "old"}
    with pytest.raises(error):
        write_atomic(tmp_path / "b.csv", fill("a long new text", error))
    assert left(tmp_path) == {"a.csv": "old"}


def test_a_full_disk_is_told_by_the_file_that_it_refused(tmp_path: Path) -> None:
    """The system's own error names none: `OSError: [Errno 28] No space left on device`."""

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomic(tmp_path / "a.csv", full)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a.csv"))


def test_a_write_that_ends_leaves_the_new_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "a much longer old text")
    write_atomic(tmp_path / "a.csv", fill("new"))
    assert left(tmp_path) == {"a.csv": "new"}


def test_the_file_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        assert (tmp_path / "a.csv").read_text() == "old"
        assert temporary.parent == tmp_path  # a rename is atomic only inside one file system

    write_text(tmp_path / "a.csv", "old")
    write_atomic(tmp_path / "a.csv", write)


def test_keep_moves_the_old_file_aside(tmp_path: Path) -> None:
    last, before = tmp_path / "last", tmp_path / "before"
    for text in ("one", "two", "three"):
        write_atomic(last, fill(text), keep=before)
    assert left(tmp_path) == {"last": "three", "before": "two"}
    with pytest.raises(OSError, match="full"):
        write_atomic(last, fill("four", OSError), keep=before)
    assert left(tmp_path) == {"last": "three", "before": "two"}


def test_a_stop_between_the_two_renames_leaves_the_old_file_under_its_kept_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, before = tmp_path / "last", tmp_path / "before"
    write_text(last, "old")
    rename = Path.replace

    def stop_at_the_last(self: Path, target: Path) -> Path:
        if target == last:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(last, fill("new"), keep=before)
    assert left(tmp_path) == {"before": "old"}


def test_the_bytes_are_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    write_text(tmp_path / "a", "text")
    assert done == (["fsync", "rename", "fsync"] if os.name == "posix" else ["fsync", "rename"])


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_the_folder_is_made(tmp_path: Path) -> None:
    write_text(tmp_path / "x" / "y" / "a", "é")
    assert (tmp_path / "x" / "y" / "a").read_bytes() == "é".encode()


def test_a_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0abc" * 100_000)
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"\0abc" * 100_000).hexdigest()


def test_the_cache_goes_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("KPTOOL_CACHE")
    assert cache_folder().name.lower() == "kptool" or "kptool" in cache_folder().parts
