"""What `cargo metadata` (standard input) says of this crate: `features`, `tests`, or whether its `rust-version` is true."""

import json
import sys


def version(text):
    return tuple(int(part) for part in (text + ".0.0").split(".")[:3])


def shipped(metadata):
    """The packages that a user of the crate compiles: all it reaches by other than dev-dependencies, on any platform."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    reached, ahead = set(), [metadata["resolve"]["root"]]
    while ahead:
        package = ahead.pop()
        if package not in reached:
            reached.add(package)
            ahead += [
                dep["pkg"]
                for dep in nodes[package]["deps"]
                if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])
            ]
    return [package for package in metadata["packages"] if package["id"] in reached]


def main():
    metadata = json.load(sys.stdin)
    if sys.argv[1] == "tests":
        targets = [target for package in metadata["packages"] for target in package["targets"]]
        print(*sorted(target["name"] for target in targets if "test" in target["kind"]), sep="\n")
        return
    root = metadata["resolve"]["root"]
    ours = next(package for package in metadata["packages"] if package["id"] == root)
    if sys.argv[1] == "features":
        print(*sorted(set(ours["features"]) - {"default"}), sep="\n")
        return
    dependencies = [p for p in shipped(metadata) if p["rust_version"] and p["id"] != root]
    hardest = max(dependencies, key=lambda package: version(package["rust_version"]))
    print(f"rust-version is {ours['rust_version']}; of {len(dependencies)} dependencies that state one, "
          f"{hardest['name']} {hardest['version']} demands most: {hardest['rust_version']}")
    if version(ours["rust_version"] or "0") < version(hardest["rust_version"]):
        sys.exit(f"rust-version must be {hardest['rust_version']} or newer")


main()
