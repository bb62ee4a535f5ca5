"""What examples/conformance.rs wrote with --lines, told for people.

table.py summary NAME FILE: how one engine did. table.py page NAME=FILE…: docs/engines.md.
"""

import sys
from collections import Counter

PAGE = """# Engines

<!-- Written by `scripts/engines matrix`; a change goes into scripts/lib/engines/table.py. -->

The conformance suite looks on an engine for every promise of `ContainerBackend`, with every backend of the crate: the async
engine, the blocking one, and both as the hybrid backend in each of its modes. The table below is of a run on engines out
of Debian's packages.

## Run it
```sh
scripts/engines matrix              # on all of them (as root, on Linux); writes this page
scripts/engines matrix podman-5.4   # on one
scripts/engines up docker-26.1      # starts one and says where it listens, for any other test
scripts/engines down                # ends them
cargo run --all-features --example conformance   # on the engine that DOCKER_HOST names, whichever it is
```
Each engine has a root file system of its own (`debootstrap`, once, kept in `~/.cache/catamaran/engines`), and mount, network,
process and cgroup namespaces: an engine of the machine's own is not touched. `scripts/test --all` runs the matrix; `scripts/test`
alone, which CI runs, the native engine.

## How to read it
- **ok**: every check of the operation passes with every backend.
- **differs**: the engine itself does otherwise, which no client can make good; the number leads to the reason. These are
  `catamaran::conformance::DIFFERENCES`. A check that fails in another way than is told there fails, and one that passes all
  the same does too, so they stay true.

## Operations
"""


def read(path):
    engine, rows = None, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if fields[0] == "engine":
                engine = fields[1:]
            else:
                verdict, backend, check, operations, took, words = fields
                rows.append((verdict, backend, check, operations.split(","), int(took), words))
    return engine, rows


def summary(name, path):
    engine, rows = read(path)
    if engine is None:
        print(f"{name}: the suite did not begin")
        return
    verdicts = Counter(row[0] for row in rows)
    seconds = sum(row[4] for row in rows) / 1000
    print(f"{name} ({engine[0]} {engine[1]}, API {engine[2]}): {verdicts['ok']} ok, {verdicts['differs']} differ, "
          f"{verdicts['FAILED']} failed; {seconds:.0f} s of checks")
    for verdict, backend, check, _, took, words in rows:
        if verdict == "FAILED":
            print(f"  FAILED {backend}: {check} ({took} ms): {words[:600]}")


def page(named):
    runs = [read(path) for _, path in (one.split("=", 1) for one in named)]
    names = [one.split("=", 1)[0] for one in named]
    operations, notes = [], {}
    for _, rows in runs:
        for row in rows:
            operations += [one for one in row[3] if one not in operations]
    table = []
    for operation in operations:
        cells = []
        for _, rows in runs:
            of_it = [row for row in rows if operation in row[3]]
            failed = any(row[0] == "FAILED" for row in of_it)
            numbers = []
            for row in of_it:
                if row[0] == "differs":
                    number = notes.setdefault((row[2], row[5]), len(notes) + 1)
                    if number not in numbers:
                        numbers.append(number)
            told = ", ".join(f"[{number}](#difference-{number})" for number in numbers)
            cells.append("**FAILED**" if failed else f"differs {told}" if numbers else "ok" if of_it else "not run")
        table.append((operation, cells))
    print(PAGE)
    heads = [f"{name}<br>{engine[0]} {engine[1]}, API {engine[2]}" for name, (engine, _) in zip(names, runs)]
    print("| operation | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for operation, cells in table:
        print(f"| {operation} | " + " | ".join(cells) + " |")
    counts = []
    for _, rows in runs:
        verdicts = Counter(row[0] for row in rows)
        counts.append(f"{verdicts['ok']} ok, {verdicts['differs']} differ")
    print("| *checks × backends* | " + " | ".join(counts) + " |")
    print("\n## Differences")
    if not notes:
        print("None is known.")
    for (check, words), number in sorted(notes.items(), key=lambda note: note[1]):
        print(f'{number}. <a id="difference-{number}"></a>`{check}`: {words}')


if __name__ == "__main__":
    if sys.argv[1] == "summary":
        summary(*sys.argv[2:])
    else:
        page(sys.argv[2:])
