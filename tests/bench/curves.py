"""What a connect costs as work grows: beside the same without the work, in turn, under a supervisor of
its own. Two points each by default; all of them when the curve is named on the command line."""

import subprocess
import uuid

from figures import in_turn
from stats import MICROSECONDS, Goal, Row
from world import LOOPBACK, PROGRAMS, Wrong, connections_possible, write_conf

ROUNDS = 8
EACH = 50


def compare(world, label, loaded, bare, rounds=ROUNDS, goal=None):
    """Rows of p50 and p99 of two (worker, where)."""
    def ask(side):
        return lambda: side[0].ask("connect", EACH, *side[1])
    a, b = in_turn(rounds, ask(loaded), ask(bare))
    row = Row(label, "without", MICROSECONDS, a, b, goal or Goal("flat: <= 1.2", ratio_max=1.2))
    other = Row(label, "", MICROSECONDS, b)
    row.note = f"p99 {row.p99():.0f} beside {other.p99():.0f} µs"
    return row


def pair(world):
    """A tunnel to a plain server, and two workers under supervisors of their own."""
    tunnel = world.tunnel(listener=False)
    world.server(tunnel, "plain")
    return tunnel, world.supervised(tunnel.initiator, tunnel.id), world.supervised(tunnel.initiator, tunnel.id)


def idle_programs(world, points=(0, 1000)):
    tunnel, loaded, bare = pair(world)
    for count in points:
        loaded.ask("idle", count)
        yield compare(world, f"connect beside {count} idle programs", (loaded, tunnel.by_name()),
                      (bare, tunnel.by_name()))


def many_tunnels(world, points=(1, 1000)):
    tunnel, _, bare = pair(world)
    for count in points:
        base = world.together(tunnel.conf("initiator"))
        others = [str(uuid.uuid4()) for _ in range(count - 1)]
        for port, other in enumerate(others, 20000):
            write_conf(base, other, None, connector_contact_string=f"127.9.9.9:{port}", fake_port=1234,
                       update_time=2 ** 33, connector_contact_string_ttl=10 ** 6)
        loaded = world.supervised(base, *others, tunnel.id)
        yield compare(world, f"connect beside {count} tunnels", (loaded, tunnel.by_name()),
                      (bare, tunnel.by_name()))
        world.end(loaded)


def open_connections(world, points=(0, 10000)):
    """The open ones are through the same supervisor, to an access point of their own, so that the far
    side of what is measured is not under load too."""
    tunnel, _, bare = pair(world)
    crowd = world.access_point()
    base = world.together(tunnel.conf("initiator"), crowd.conf("initiator"))
    loaded = world.supervised(base, tunnel.id, crowd.id)
    for count in points:
        count = min(count, connections_possible())
        if loaded.ask("hold", count, *crowd.by_name()) != [count]:
            raise Wrong("not so many connections are open")
        yield compare(world, f"connect beside {count} connections open", (loaded, tunnel.by_name()),
                      (bare, tunnel.by_name()))


def held_accepts(world, points=(0, 1000)):
    """One notification for each connect: it is not for a tunnel. Beside it, the kernel's own share."""
    elsewhere, listening, initiating = world.tunnel(), world.tunnel(), world.tunnel()
    world.server(elsewhere, "plain")
    base = world.together(initiating.conf("initiator"), listening.conf("listener"))
    where = LOOPBACK, elsewhere.port, elsewhere.port, "-"
    loaded, bare = (world.supervised(base, initiating.id, listening.id) for _ in range(2))
    for count in points:
        loaded.ask("block", count, listening.port)
        row = compare(world, f"connect, no tunnel's, beside {count} held", (loaded, where), (bare, where),
                      goal=Goal("shown"))
        kernel = [kernels_share(held) for held in (count, 0)]
        row.note += f"; the kernel alone: {kernel[0]:.0f} beside {kernel[1]:.0f} µs"
        yield row


def kernels_share(held, count=400):
    done = subprocess.run([str(PROGRAMS / "bench-held"), str(held), str(count)], capture_output=True,
                          text=True, timeout=60)
    if done.returncode:
        raise Wrong(f"bench-held: {done.stderr}")
    return Row("", "", MICROSECONDS, [[int(word) for word in done.stdout.split()]]).ours


FULL = {"idle": (0, 10, 100, 1000), "tunnels": (1, 10, 100, 1000),
        "open": (0, 100, 1000, 3000, 10000), "held": (0, 10, 100, 1000)}
CURVES = {"idle": idle_programs, "tunnels": many_tunnels, "open": open_connections, "held": held_accepts}
