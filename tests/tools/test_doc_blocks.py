"""A page that says what does not happen is found out, and can be brought up to date."""

from __future__ import annotations

from tools.doc_blocks import failures, main, update

PAGE = """
```python
x = 2
```

```python
>>> x + 1
4
>>> 1 / 0
>>> print("a", x)
a ...
>>> print()
```

```console
$ python -c "print(5)"
6
```
"""

RIGHT = """
```python
x = 2
```

```python
>>> x + 1
3
>>> 1 / 0
Traceback (most recent call last):
    ...
ZeroDivisionError: division by zero
>>> print("a", x)
a ...
>>> print()
<BLANKLINE>
```

```console
$ python -c "print(5)"
5
```
"""


def test_failures_are_named_by_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    first, second, third, fourth = failures(page)
    assert first == "page.md:7:\nx + 1\nprinted:\n3\ninstead of:\n4\n"
    assert "ZeroDivisionError" in second
    assert third.startswith("page.md:12:")
    assert fourth.startswith("page.md:16:")
    assert main([str(page)]) == 1


def test_update_writes_what_was_printed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert update(page) == 4
    assert page.read_text() == RIGHT
    assert main([str(page), "--update"]) == 0
    assert page.read_text() == RIGHT


def test_lines_are_those_of_the_code_on_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n>>> from ir.loc import user_loc\n>>> user_loc()\n```\n\n"
        "```python\n>>> print(user_loc(), user_loc().source)\n```\n"
    )
    update(page)
    assert "page.py:3 print(user_loc(), user_loc().source)\n" in page.read_text()
