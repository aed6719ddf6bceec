"""A C++ compiler that takes no time: what it links is a shell script, whatever the source."""

from pathlib import Path

_COMPILER = """\
#!/bin/sh
case "$*" in *--version) echo "fake 1.0"; exit;; esac
output=; compile=
for word; do
  [ "$before" = -o ] && output=$word
  [ "$word" = -c ] && compile=yes
  before=$word
done
if [ $compile ]; then
{compiling}
  echo object > "$output"
else
  cat > "$output" <<'END'
#!/bin/sh
{program}
END
  chmod +x "$output"
fi
"""


def fake_compiler(path: Path, *, program: str = "exit 0", compiling: str = "") -> Path:
    """Write a compiler to a file.

    Args:
        path: The file.
        program: Shell commands that are the program that it makes.
        compiling: Shell commands that it runs for each object.
    """
    path.write_text(_COMPILER.format(program=program, compiling=compiling))
    path.chmod(0o755)
    return path
