# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs3model.py -- what the replies of NFS v3 tell about objects, and whether later replies agree
"""A test's directory is nobody else's. So what one reply says about an object has to be said by all later ones, except
for what calls have changed since. Model keeps the last attributes by handle, and handles by directory and name."""

from suite import equal, that

REG, DIR, BLK, CHR, LNK = range(1, 6)
BLOCK = 512
ALWAYS = ("type", "rdev", "fsid", "fileid")
FIELDS = (*ALWAYS, "mode", "nlink", "uid", "gid", "size", "used", "atime", "mtime", "ctime")
CHANGED = {"size", "used", "nlink", "mtime", "ctime"}
CLIENT_TIME = 2


def moment(time):
    return (time.seconds, time.nseconds)


class Model:
    """seen: attributes by handle. changed: fields that calls since may have changed, by handle. vague: fields that the
    server may change at any time from now on (atime after READ, used after WRITE), by handle. names: handles by
    (directory's handle, name)."""

    def __init__(self):
        self.seen, self.changed, self.vague, self.names = {}, {}, {}, {}
        self.parents = {}
        self.fsid = None
        self.verf = None

    def root(self, handle, attributes):
        """The directory that everything is below; others change it between tests."""
        self.fsid = attributes.fsid
        self.seen[handle] = attributes

    def touch(self, handle, *fields):
        self.changed.setdefault(handle, set()).update(fields)

    def blur(self, handle, *fields):
        self.vague.setdefault(handle, set()).update(fields)

    def free(self, handle):
        """The fields of an object that may differ from what was seen."""
        return self.changed.get(handle, set()) | self.vague.get(handle, set())

    def forget(self, handle):
        for table in (self.seen, self.changed, self.vague):
            table.pop(handle, None)

    # --- attributes

    def sane(self, what, new):
        """What holds for all attributes, whatever was before."""
        that(1 <= new.type <= 7, f"{what}: type {new.type} is none of ftype3")
        that(new.mode <= 0o7777, f"{what}: mode {new.mode:o} has bits that the RFC doesn't define")
        that(new.nlink >= 1, f"{what}: nlink is 0")
        that(new.used % BLOCK == 0, f"{what}: used is {new.used}")
        that(new.fileid, f"{what}: fileid is 0")
        for name in ("atime", "mtime", "ctime"):
            that(getattr(new, name).nseconds < 10 ** 9, f"{what}: {name} has {getattr(new, name).nseconds} nanoseconds")
        if new.type not in (BLK, CHR):
            equal(f"{what}: rdev of an object that is no device", (new.rdev.major, new.rdev.minor), (0, 0))
        if self.fsid is not None:
            equal(f"{what}: fsid", new.fsid, self.fsid)

    def observe(self, what, handle, new):
        """Takes note of attributes (or None)."""
        if new is None:
            return
        self.sane(what, new)
        old = self.seen.get(handle)
        if old is not None:
            free = self.free(handle)
            for name in FIELDS:
                if name in ALWAYS or name not in free:
                    equal(f"{what}: {name}", getattr(new, name), getattr(old, name))
            that(moment(new.ctime) >= moment(old.ctime), f"{what}: ctime goes back")
        if new.type == LNK:
            self.blur(handle, "atime")
        self.seen[handle] = new
        self.changed.pop(handle, None)

    def before(self, what, handle, before):
        """Takes note of wcc_attr (or None), which has to be what was seen last."""
        old = self.seen.get(handle)
        if before is None or old is None:
            return
        for name in sorted({"size", "mtime", "ctime"} - self.free(handle)):
            equal(f"{what}: {name} before", getattr(before, name), getattr(old, name))

    # --- replies

    def check(self, name, asked, result):
        """Checks the reply of any procedure."""
        if result.status != 0:
            self.failed(name, asked, result)
        elif name in ("CREATE", "MKDIR", "SYMLINK", "MKNOD"):
            self.made(name, asked, result)
        else:
            getattr(self, "check_" + name.lower())(asked, result)

    def wcc(self, what, handle, wcc, *changes):
        """The wcc_data of an object in which `changes` may have changed."""
        self.before(what, handle, wcc.before)
        self.touch(handle, *changes)
        self.observe(what, handle, wcc.after)
        if wcc.before and wcc.after:
            that(moment(wcc.after.ctime) >= moment(wcc.before.ctime), f"{what}: ctime goes back")

    def directory(self, what, handle, wcc, subdirs=None):
        """The wcc_data of a directory in which names have changed; subdirs: how many more directories it has."""
        old = self.seen.get(handle)
        that(wcc.after is not None, f"{what}: no attributes of the directory")
        known = old is not None and "nlink" not in self.free(handle)
        self.wcc(what, handle, wcc, *CHANGED)
        equal(f"{what}: the directory's type", wcc.after.type, DIR)
        that(moment(wcc.after.mtime) <= moment(wcc.after.ctime), f"{what}: mtime is behind ctime")
        if known and subdirs is not None and old.nlink > 1:
            equal(f"{what}: the directory's nlink", wcc.after.nlink, old.nlink + subdirs)

    def failed(self, name, asked, result):
        """A call that failed changes nothing."""
        if name == "RENAME":
            self.wcc(name, asked.source.dir, result.from_wcc)
            self.wcc(name, asked.to.dir, result.to_wcc)
            return
        handle = asked.get("object") or asked.get("dir") or asked.get("root")
        if name == "LINK":
            self.wcc(name, asked.link.dir, result.dir_wcc)
        elif "dir_wcc" in result.__dict__:
            self.wcc(name, handle, result.dir_wcc)
        elif "wcc" in result.__dict__:
            self.wcc(name, handle, result.wcc)
        self.observe(name, handle, result.get("attributes") or result.get("dir_attributes"))

    def check_getattr(self, asked, result):
        self.observe("GETATTR", asked.object, result.attributes)

    def check_setattr(self, asked, result):
        given = {name for name in ("mode", "uid", "gid", "size") if getattr(asked.new, name) is not None}
        changes = given | {name for name in ("atime", "mtime") if getattr(asked.new, name).how} | {"ctime"}
        if "size" in given:
            changes |= {"mtime", "mode"}
            self.blur(asked.object, "used")
        if given & {"uid", "gid"}:
            changes.add("mode")
        that(result.wcc.after is not None, "SETATTR: no attributes")
        self.wcc("SETATTR", asked.object, result.wcc, *changes)
        for name in given - {"mode"}:
            equal(f"SETATTR: {name}", getattr(result.wcc.after, name), getattr(asked.new, name))
        for name in ("atime", "mtime"):
            if getattr(asked.new, name).how == CLIENT_TIME:
                equal(f"SETATTR: {name}", getattr(result.wcc.after, name), getattr(asked.new, name).time)

    def check_lookup(self, asked, result):
        that(result.attributes is not None, "LOOKUP: no attributes")
        that(result.dir_attributes is not None, "LOOKUP: no attributes of the directory")
        self.observe("LOOKUP in", asked.dir, result.dir_attributes)
        known = self.names.get((asked.dir, asked.name))
        if known is not None:
            equal(f"LOOKUP: the handle of {asked.name!r}", result.handle, known)
        self.observe("LOOKUP", result.handle, result.attributes)
        if asked.name not in (b".", b".."):
            self.names[asked.dir, asked.name] = result.handle

    def check_access(self, asked, result):
        that(result.attributes is not None, "ACCESS: no attributes")
        self.observe("ACCESS", asked.object, result.attributes)
        that(result.access & ~asked.access == 0, f"ACCESS: {result.access:#x} of {asked.access:#x}")

    def check_readlink(self, asked, result):
        that(result.attributes is not None, "READLINK: no attributes")
        self.blur(asked.object, "atime")
        self.observe("READLINK", asked.object, result.attributes)
        equal("READLINK: type", result.attributes.type, LNK)
        equal("READLINK: the target's length", len(result.target), result.attributes.size)

    def check_read(self, asked, result):
        that(result.attributes is not None, "READ: no attributes")
        self.blur(asked.object, "atime")
        self.observe("READ", asked.object, result.attributes)
        equal("READ: type", result.attributes.type, REG)
        equal("READ: count", result.count, len(result.data))
        that(result.count <= asked.count, f"READ: {result.count} bytes of {asked.count}")
        size = result.attributes.size
        that(asked.offset + result.count <= size or not result.count, f"READ: bytes over the end at {size}")
        if result.count or not asked.count:
            that(not result.eof or asked.offset + result.count >= size, f"READ: eof before the end at {size}")
        that(result.eof or result.count or not asked.count, "READ: neither bytes nor the end")
        that(result.eof or asked.offset + result.count < size or not asked.count, "READ: the end without eof")

    def check_write(self, asked, result):
        old = self.seen.get(asked.object)
        known = old is not None and "size" not in self.free(asked.object)
        that(result.count <= asked.count, f"WRITE: {result.count} bytes of {asked.count}")
        that(result.count or not asked.count, "WRITE: no bytes")
        that(asked.stable <= result.committed <= 2, f"WRITE: committed {result.committed} of stable {asked.stable}")
        that(result.wcc.after is not None, "WRITE: no attributes")
        self.blur(asked.object, "used")
        self.wcc("WRITE", asked.object, result.wcc, *(("size", "mtime", "ctime", "mode") if asked.count else ()))
        self.check_verf(result.verf)
        if known and result.count:
            equal("WRITE: size", result.wcc.after.size, max(old.size, asked.offset + result.count))

    def check_verf(self, verf):
        if self.verf is not None:
            equal("the write verifier", verf, self.verf)
        self.verf = verf

    def check_commit(self, asked, result):
        that(result.wcc.after is not None, "COMMIT: no attributes")
        self.blur(asked.object, "used")
        self.wcc("COMMIT", asked.object, result.wcc)
        self.check_verf(result.verf)

    def made(self, name, asked, result):
        that(result.handle is not None and result.attributes is not None, f"{name}: no handle or attributes")
        there = self.names.get((asked.dir, asked.name))
        if there is not None:
            equal(f"{name}: the handle of {asked.name!r}", result.handle, there)
            self.touch(there, "size", "mode", "uid", "gid", "used", "mtime", "ctime", "atime")
        else:
            that(result.handle not in self.seen, f"{name}: the handle is another object's")
            given = asked.get("attributes") or asked.get("how", asked.get("what")).get("attributes")
            self.fresh(name, given, result.attributes)
        self.observe(name, result.handle, result.attributes)
        self.blur(result.handle, "used")
        kinds = {"CREATE": REG, "MKDIR": DIR, "SYMLINK": LNK}
        equal(f"{name}: type", result.attributes.type, kinds[name] if name in kinds else asked.what.type)
        self.names[asked.dir, asked.name] = result.handle
        if name == "MKDIR":
            self.parents[result.handle] = asked.dir
        self.directory(name, asked.dir, result.dir_wcc, int(name == "MKDIR") if there is None else None)

    def fresh(self, name, given, new):
        """The attributes of a new object; `given` are those that were asked for, or None."""
        that(new.nlink == 1 or name == "MKDIR", f"{name}: nlink is {new.nlink}")
        if given and given.mode is not None and name != "SYMLINK":
            equal(f"{name}: mode", new.mode & 0o777, given.mode & 0o777)
        if name in ("CREATE", "MKNOD"):
            equal(f"{name}: size", new.size, given.size or 0 if given else 0)
        if given and not given.mtime.how:
            that(moment(new.mtime) <= moment(new.ctime), f"{name}: mtime is behind ctime")

    def unname(self, directory, name):
        """A name has gone."""
        handle = self.names.pop((directory, name), None)
        if handle is not None:
            if handle in self.seen and (self.seen[handle].type == DIR or self.seen[handle].nlink == 1):
                self.forget(handle)
            else:
                self.touch(handle, "nlink", "ctime")

    def check_remove(self, asked, result):
        self.unname(asked.dir, asked.name)
        self.directory("REMOVE", asked.dir, result.dir_wcc, 0)

    def check_rmdir(self, asked, result):
        self.unname(asked.dir, asked.name)
        self.directory("RMDIR", asked.dir, result.dir_wcc, -1)

    def check_rename(self, asked, result):
        source, to = (asked.source.dir, asked.source.name), (asked.to.dir, asked.to.name)
        moved = self.names.get(source)
        if moved is None or moved != self.names.get(to):
            self.unname(*to)
            self.names.pop(source, None)
            if moved is not None:
                self.names[to] = moved
                self.touch(moved, "ctime")
                if moved in self.parents:
                    self.parents[moved] = asked.to.dir
        if asked.source.dir == asked.to.dir:
            self.before("RENAME", asked.to.dir, result.to_wcc.before)
            self.directory("RENAME from", asked.source.dir, result.from_wcc)
            equal("RENAME: the directory's attributes", result.to_wcc.after, result.from_wcc.after)
        else:
            self.directory("RENAME from", asked.source.dir, result.from_wcc)
            self.directory("RENAME to", asked.to.dir, result.to_wcc)

    def check_link(self, asked, result):
        that(result.attributes is not None, "LINK: no attributes")
        old = self.seen.get(asked.object)
        if old is not None and "nlink" not in self.free(asked.object):
            equal("LINK: nlink", result.attributes.nlink, old.nlink + 1)
        self.touch(asked.object, "nlink", "ctime")
        self.observe("LINK", asked.object, result.attributes)
        self.names[asked.link.dir, asked.link.name] = asked.object
        self.directory("LINK", asked.link.dir, result.dir_wcc, 0)

    def check_readdir(self, asked, result, what="READDIR"):
        that(result.dir_attributes is not None, f"{what}: no attributes of the directory")
        self.blur(asked.dir, "atime")
        self.observe(what, asked.dir, result.dir_attributes)
        equal(f"{what}: type", result.dir_attributes.type, DIR)
        cookies = [entry.cookie for entry in result.entries]
        that(len(set(cookies)) == len(cookies) and asked.cookie not in cookies, f"{what}: a cookie is there twice")
        for entry in result.entries:
            that(entry.cookie, f"{what}: cookie 0, which stands for the beginning")
            that(entry.name and b"/" not in entry.name and b"\0" not in entry.name, f"{what}: the name {entry.name!r}")
            known = self.entry_handle(asked.dir, entry.name)
            if known in self.seen:
                equal(f"{what}: the fileid of {entry.name!r}", entry.fileid, self.seen[known].fileid)
        if result.eof:
            self.complete(what, asked, result)

    def complete(self, what, asked, result):
        """A listing in one call has to have all names that are known."""
        names = [entry.name for entry in result.entries]
        if asked.cookie == 0:
            missing = [name for directory, name in self.names if directory == asked.dir and name not in names]
            that(not missing, f"{what}: {missing[:3]!r} are missing")
            that(len(set(names)) == len(names), f"{what}: a name is there twice")

    def entry_handle(self, directory, name):
        if name == b".":
            return directory
        return self.parents.get(directory) if name == b".." else self.names.get((directory, name))

    def check_readdirplus(self, asked, result):
        self.check_readdir(asked, result, "READDIRPLUS")
        for entry in result.entries:
            if entry.attributes is not None:
                equal(f"READDIRPLUS: fileid of {entry.name!r}", entry.attributes.fileid, entry.fileid)
            known = self.entry_handle(asked.dir, entry.name)
            if entry.handle is not None and known is not None:
                equal(f"READDIRPLUS: the handle of {entry.name!r}", entry.handle, known)
            if entry.handle is not None:
                self.observe(f"READDIRPLUS {entry.name!r}", entry.handle, entry.attributes)

    def check_root(self, what, handle, result):
        that(result.attributes is not None, f"{what}: no attributes")
        self.observe(what, handle, result.attributes)

    def check_fsstat(self, asked, result):
        self.check_root("FSSTAT", asked.root, result)
        that(result.tbytes >= result.fbytes >= result.abytes, "FSSTAT: more bytes are free than there are")
        that(result.tfiles >= result.ffiles >= result.afiles, "FSSTAT: more files are free than there are")

    def check_fsinfo(self, asked, result):
        self.check_root("FSINFO", asked.root, result)
        that(min(result.rtmax, result.rtpref, result.wtmax, result.wtpref) >= 1, "FSINFO: a size of 0")
        that(result.properties & ~0x1B == 0, f"FSINFO: properties {result.properties:#x}")

    def check_pathconf(self, asked, result):
        self.check_root("PATHCONF", asked.object, result)
