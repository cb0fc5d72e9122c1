"""Whose a conf file is: not another user's, nor in a folder where another could put his own in its place."""

import os
import struct

import pytest

from lab import CLI, RUN, need, one_warning, write_conf
from lab import GOOD
from users import open_for_all

OTHER, THIRD = 61235, 61236  # users that own nothing here
TRUE = "/bin/true"
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHERS = 1, 2, 4, 8, 16, 32


@pytest.fixture
def base(bare_lab):
    return bare_lab.folder / "base"


def only_root():
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")


def launch(lab, base, tunnel, *who):
    here = lab.start(*who, RUN, "--base-dir", base, tunnel, "--", TRUE)
    return here, here.wait()


def refused(lab, base, tunnel, *parts, who=()):
    here, status = launch(lab, base, tunnel, *who)
    assert status == 1, here
    assert len(here.err.splitlines()) == 1, here
    return one_warning(here, *parts)


def test_root_and_a_conf_of_another_user(bare_lab, base):
    only_root()
    tunnel = write_conf(base, **GOOD)
    os.chown(base / f"{tunnel}.conf", OTHER, OTHER)
    refused(bare_lab, base, tunnel, f"belongs to user {OTHER}", "chown")


def test_root_and_a_folder_of_another_user(bare_lab, base):
    only_root()
    tunnel = write_conf(base, **GOOD)
    os.chown(base, OTHER, OTHER)
    refused(bare_lab, base, tunnel, f"{base} belongs to user {OTHER}", "a folder of your own")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_folder_that_others_may_write(bare_lab, base, mode):
    """The sticky bit keeps them from removing files, not from putting others there."""
    tunnel = write_conf(base, **GOOD)
    base.chmod(mode)
    refused(bare_lab, base, tunnel, f"other users may write to {base}", "chmod go-w")


def test_link_into_such_a_folder(bare_lab, base):
    elsewhere = bare_lab.folder / "elsewhere"
    tunnel = write_conf(elsewhere, **GOOD)
    base.mkdir(mode=0o700)
    (base / f"{tunnel}.conf").symlink_to(elsewhere / f"{tunnel}.conf")
    assert launch(bare_lab, base, tunnel)[1] == 0
    elsewhere.chmod(0o777)
    refused(bare_lab, base, tunnel, f"other users may write to {elsewhere}")


def test_link_in_such_a_folder(bare_lab, base):
    elsewhere = bare_lab.folder / "elsewhere"
    tunnel = write_conf(elsewhere, **GOOD)
    base.mkdir(mode=0o700)
    (base / f"{tunnel}.conf").symlink_to(elsewhere / f"{tunnel}.conf")
    base.chmod(0o777)
    refused(bare_lab, base, tunnel, f"other users may write to {base}")


def test_initialize_into_such_a_folder(lab):
    """No secret is made for a conf file that would not be used."""
    ident, base = lab.create_tunnel(), lab.folder / "open"
    base.mkdir()
    base.chmod(0o777)
    told = lab.start(CLI, "environment", "initialize", "--base-dir", base, ident)
    assert told.wait() == 1, told
    assert f"other users may write to {base}" in told.err and "chmod go-w" in told.err
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("what", ["file", "folder"])
def test_doctor_says_the_same(lab, tunnel, what):
    path = tunnel.initiator / f"{tunnel.id}.conf"
    if what == "folder":
        tunnel.initiator.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(path, OTHER, OTHER)
    else:
        path.chmod(0o640)
    said = refused(lab, tunnel.initiator, tunnel.id)
    told = lab.start(CLI, "doctor", "--base-dir", tunnel.initiator, tunnel.id)
    assert told.wait() == 1, told
    (line,) = [line for line in told.out.splitlines() if line.startswith("failed") and " conf file: " in line]
    assert line.endswith(said.split(": ", 1)[1])


# --- what a service manager hands over ---

def set_acl(path, owner, users, group=0, groups=None):
    """An ACL with these rights for the owner, by user id, for the file's group, by group id; nobody else has any."""
    mask = group
    for rights in [*users.values(), *(groups or {}).values()]:
        mask |= rights
    entries = [(USER_OBJ, owner, 0xffffffff)] + [(USER, rights, user) for user, rights in sorted(users.items())]
    entries += [(GROUP_OBJ, group, 0xffffffff), *((GROUP, rights, one) for one, rights in (groups or {}).items())]
    entries += [(MASK, mask, 0xffffffff), (OTHERS, 0, 0xffffffff)]
    try:
        os.setxattr(path, "system.posix_acl_access",
                    struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")


@pytest.fixture
def credentials(bare_lab):
    """LoadCredential: root's, with an ACL for the service's user; and how to be that user."""
    only_root()
    folder = bare_lab.folder / "credentials"
    who = [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]
    tunnel = write_conf(folder, **GOOD)
    folder.chmod(0o500)
    path = folder / f"{tunnel}.conf"
    path.chmod(0o400)
    open_for_all(bare_lab.folder)
    if bare_lab.start(*who, "/usr/bin/test", "-x", RUN).wait() != 0:
        pytest.skip("another user cannot reach the programs")
    set_acl(folder, 5, {OTHER: 5})
    set_acl(path, 4, {OTHER: 4})
    return folder, tunnel, path, who


def test_credential_of_a_service(bare_lab, credentials):
    folder, tunnel, path, who = credentials
    assert path.stat().st_mode & 0o777 == 0o440 and folder.stat().st_mode & 0o777 == 0o550
    here, status = launch(bare_lab, folder, tunnel, *who)
    assert (status, here.err) == (0, ""), here


def test_credential_that_a_third_may_read(bare_lab, credentials):
    folder, tunnel, path, who = credentials
    set_acl(path, 4, {OTHER: 4, THIRD: 4})
    refused(bare_lab, folder, tunnel, "other users may read", who=who)


@pytest.mark.parametrize("more", [{"group": 4}, {"groups": {OTHER: 4}}], ids=["its group", "a group"])
def test_credential_that_a_group_may_read_too(bare_lab, credentials, more):
    folder, tunnel, path, who = credentials
    set_acl(path, 4, {OTHER: 4}, **more)
    refused(bare_lab, folder, tunnel, "other users may read", who=who)


def test_credential_of_another_owner(bare_lab, credentials):
    """Root's alone may be handed over."""
    folder, tunnel, path, who = credentials
    os.chown(path, THIRD, THIRD)
    set_acl(path, 4, {OTHER: 4})
    refused(bare_lab, folder, tunnel, f"belongs to user {THIRD}", who=who)


def test_credential_folder_that_another_may_write_to(bare_lab, credentials):
    folder, tunnel, path, who = credentials
    set_acl(folder, 5, {OTHER: 5, THIRD: 7})
    refused(bare_lab, folder, tunnel, "other users may write to", who=who)


def test_credential_that_a_group_may_read(bare_lab, credentials):
    folder, tunnel, path, who = credentials
    os.removexattr(path, "system.posix_acl_access")
    os.chown(path, 0, OTHER)
    path.chmod(0o440)
    refused(bare_lab, folder, tunnel, "other users may read", who=who)


# --- user namespaces ---

def namespace(lab, *options):
    words = [need("unshare"), *options]
    if lab.start(*words, TRUE).wait() != 0:
        pytest.skip("no user namespace can be made here")
    return words


def test_own_conf_in_a_user_namespace(bare_lab, base):
    tunnel = write_conf(base, **GOOD)
    here, status = launch(bare_lab, base, tunnel, *namespace(bare_lab, "-Ur"))
    assert (status, here.err) == (0, ""), here


def test_unknown_owner_in_a_user_namespace(bare_lab, base):
    """Shown as the user for all that are not known there, which may be the name of our own: it is not ours."""
    only_root()
    tunnel = write_conf(base, **GOOD)
    path = base / f"{tunnel}.conf"
    os.chown(path, OTHER, OTHER)
    set_acl(path, 6, {0: 6})
    base.chmod(0o755)
    os.chown(base, 0, 0)
    refused(bare_lab, base, tunnel, "belongs to user 65534", who=namespace(bare_lab, "-Ur"))
    who = namespace(bare_lab, "-U", "--map-user=65534", "--map-group=65534")
    here, status = launch(bare_lab, base, tunnel, *who)
    assert status == 1, here
    one_warning(here, "holds a secret")
