# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs4check.py -- the rules that every COMPOUND's reply has to keep, whatever the test is about
"""A Checker follows one test's replies: the current and the saved handle through each COMPOUND, what is known of each
object and stateid. It raises Failed at the first sentence of the RFCs that doesn't hold."""

from nfs4 import GUARDED, LAST_OPERATION, OP_ILLEGAL, OPS, STATUS, UNCHECKED, WANT_NO_DELEG, op_name
from nfs4attr import LAST_STATUS, WRITE_ONLY
from suite import equal, that

CONSTANT = ("type", "fileid", "fsid", "filehandle")
CONSTANT_PER_FS = ("supported_attrs", "fh_expire_type", "link_support", "symlink_support", "named_attr",
                   "unique_handles",
                   "aclsupport", "cansettime", "case_insensitive", "case_preserving", "chown_restricted", "homogeneous",
                   "maxfilesize", "maxlink", "maxname", "maxread", "maxwrite", "no_trunc", "time_delta", "lease_time",
                   "suppattr_exclcreat", "xattr_support", "clone_blksize", "change_attr_type", "fs_charset_cap")
MISSING = {"fs_locations"}  # nobody has to have referrals; a test of its own asks for it
STATEID_FIELDS = {"OPEN": "stateid", "OPEN_CONFIRM": "open_stateid", "OPEN_DOWNGRADE": "open_stateid",
                  "LOCK": "lock_stateid", "LOCKU": "lock_stateid"}
# what changes objects without telling their change attributes
CHANGING = {"SETATTR", "WRITE", "LOCK", "COMMIT", "OPENATTR", "ALLOCATE", "DEALLOCATE", "COPY", "CLONE", "WRITE_SAME",
            "CLOSE",
            "OPEN_DOWNGRADE", "LAYOUTCOMMIT"}
RESULT_FLAGS = {"v40": 6, "v41": 0x2C, "v42": 0x2C}
NANOSECONDS = 1_000_000_000


class Handles:
    """The current and the saved handle within a COMPOUND; None where the test can't know them."""

    def __init__(self):
        self.current = self.saved = None

    def after(self, name, arg, res):
        if name == "PUTFH":
            self.current = arg.object
        elif name == "GETFH":
            self.current = res.object
        elif name in ("PUTROOTFH", "PUTPUBFH", "LOOKUP", "LOOKUPP", "OPENATTR", "CREATE"):
            self.current = None
        elif name == "OPEN" and arg.claim.claim in (0, 2, 3):
            self.current = None
        elif name == "SAVEFH":
            self.saved = self.current
        elif name == "RESTOREFH":
            self.current = self.saved


class Checker:
    def __init__(self, version):
        self.version = version
        self.supported = None
        self.objects = {}
        self.unknown = {}
        self.file_systems = {}
        self.stateids = {}
        self.write_verifier = None

    def compound(self, sent, tag, minor, res, stateful=True):
        """The rules for the whole, then those for each operation."""
        if res.resarray or res.tag:
            equal("the tag", res.tag, tag)
        that(len(res.resarray) <= len(sent), f"{len(res.resarray)} results of {len(sent)} operations")
        self.status(res.status)
        if not res.resarray:
            that(not sent or res.status, "NFS4_OK without results")
            return
        equal("the COMPOUND's status", res.status, res.resarray[-1].status)
        that(res.status or len(res.resarray) == len(sent) or not stateful, "NFS4_OK, but not all operations have "
                                                                           "results")
        for number, one in enumerate(res.resarray[:-1]):
            equal(f"the status of result {number}, which isn't the last,", one.status, 0)
        handles = Handles()
        for arg, one in zip(sent, res.resarray):
            last = LAST_OPERATION[f"v4{minor}"] if minor <= 2 else 0
            wanted = arg.argop if 3 <= arg.argop <= last else OP_ILLEGAL
            that(one.resop in (wanted, arg.argop) or not stateful,
                 f"{op_name(one.resop)} is answered to {op_name(arg.argop)}")
            self.status(one.status)
            if hasattr(arg, "data") and not OPS.get(arg.argop):
                continue
            self.one(op_name(arg.argop), arg, one, handles, stateful)

    def status(self, status):
        that(status in STATUS.names and status <= LAST_STATUS[self.version],
             f"{STATUS.name(status)} isn't a status of {self.version}")

    def one(self, name, arg, res, handles, stateful):
        check = getattr(self, f"check_{name.lower()}", None)
        if check and stateful and not res.status:
            check(arg, res, handles)
        if name in STATEID_FIELDS and stateful and not res.status:
            self.stateid(name, getattr(res, STATEID_FIELDS[name]))
        if name in CHANGING:
            self.changed()
        if not res.status:
            handles.after(name, arg, res)

    # --- objects ---

    def object(self, handle):
        """What is known of the object behind a handle."""
        if handle is None:
            self.unknown.clear()
            return self.unknown
        return self.objects.setdefault(handle, {})

    def attributes(self, attrs, handle=None):
        held = attrs.__dict__
        known = self.object(handle)
        for name in CONSTANT:
            if name in held and name != "filehandle":
                equal(f"{name} of the same object", held[name], known.setdefault(name, held[name]))
        if "filehandle" in held and handle is not None:
            equal("the attribute filehandle", held["filehandle"], handle)
        fsid = held.get("fsid") or known.get("fsid")
        if fsid is not None:
            per_fs = self.file_systems.setdefault((fsid.major, fsid.minor), {})
            for name in CONSTANT_PER_FS:
                if name in held:
                    equal(f"{name} of the same file system", held[name], per_fs.setdefault(name, held[name]))
        if "change" in held:
            self.change_is(held["change"], known, "change")
        self.values(held)

    @staticmethod
    def values(held):
        """Each value for itself, and beside the others of one object."""
        for name, value in held.items():
            if name.startswith("time_") and hasattr(value, "nseconds"):
                that(value.nseconds < NANOSECONDS, f"{name} has {value.nseconds} ns")
        that(1 <= held.get("type", 1) <= 9, f"type {held.get('type')}")
        that(held.get("mode", 0) <= 0o7777, f"mode {held.get('mode', 0):o}")
        that(held.get("rdattr_error", 0) == 0, "rdattr_error isn't NFS4_OK")
        that(held.get("aclsupport", 0) <= 15, "aclsupport has unknown bits")
        that(held.get("fh_expire_type", 0) <= 15, "fh_expire_type has unknown bits")
        that(held.get("lease_time", 1) > 0, "lease_time is 0")
        for low, high in (("space_avail", "space_free"), ("space_free", "space_total"), ("files_avail", "files_free"),
                          ("files_free", "files_total")):
            if low in held and high in held:
                that(held[low] <= held[high], f"{low} {held[low]} is greater than {high} {held[high]}")

    def check_getattr(self, arg, res, handles):
        got = set(res.attrs.__dict__)
        if not hasattr(arg.attr_request, "words"):
            asked = {name for name in arg.attr_request if isinstance(name, str)}
            that(got <= asked, f"{sorted(got - asked)} weren't asked for")
            if self.supported is not None:
                wanted = asked & self.supported - WRITE_ONLY - MISSING
                that(wanted <= got, f"the supported {sorted(wanted - got)} are missing")
                that(got <= self.supported, f"{sorted(got - self.supported)} aren't supported")
        self.attributes(res.attrs, handles.current)

    def change_is(self, value, known, what):
        """The change attribute now is `value`: it never goes back, and stays while nothing happens."""
        if "exact" in known:
            equal(what, value, known["change"])
        that(value >= known.get("change", 0), f"{what} goes back from {known.get('change')} to {value}")
        known["change"] = value
        if known is not self.unknown:
            known["exact"] = True

    def changed(self):
        """Something has changed, so that no object's change attribute is known any more, only its least value."""
        for known in self.objects.values():
            known.pop("exact", None)

    def change(self, cinfo, handle, what, more=()):
        """A change_info4, and others of the same operation."""
        all_of_them = ((cinfo, handle), *more)
        for info, where in all_of_them:
            that(info.after >= info.before, f"{what}: change goes back from {info.before} to {info.after}")
            self.change_is(info.before, self.object(where), f"{what}'s change before")
        self.changed()
        for info, where in all_of_them:
            self.change_is(info.after, self.object(where), f"{what}'s change after")

    def check_create(self, arg, res, handles):
        self.change(res.cinfo, handles.current, "CREATE")
        self.attributes_set(arg.createattrs, res.attrset)

    @staticmethod
    def attributes_set(asked, done):
        """What was asked to be set, and what the server says that it has set."""
        if hasattr(asked, "mask"):
            return
        equal("the attributes that were set", sorted(map(str, done)), sorted(asked.__dict__))

    def check_setattr(self, arg, res, _handles):
        self.attributes_set(arg.obj_attributes, res.attrsset)

    def check_link(self, _arg, res, handles):
        self.change(res.cinfo, handles.current, "LINK")

    def check_remove(self, _arg, res, handles):
        self.change(res.cinfo, handles.current, "REMOVE")

    def check_setxattr(self, _arg, res, handles):
        self.change(res.cinfo, handles.current, "SETXATTR")

    def check_removexattr(self, _arg, res, handles):
        self.change(res.cinfo, handles.current, "REMOVEXATTR")

    def check_rename(self, _arg, res, handles):
        if handles.current != handles.saved:
            self.change(res.source_cinfo, handles.saved, "RENAME", [(res.target_cinfo, handles.current)])
        else:
            equal("RENAME's change infos of the same directory", res.target_cinfo, res.source_cinfo)
            self.change(res.source_cinfo, handles.saved, "RENAME")

    def check_access(self, arg, res, _handles):
        that(not res.supported & ~arg.access, f"ACCESS supports {res.supported:#x}, asked for were {arg.access:#x}")
        that(not res.access & ~res.supported, f"ACCESS allows {res.access:#x}, supported are {res.supported:#x}")

    def check_readdir(self, arg, res, _handles):
        names = [entry.name for entry in res.entries]
        cookies = [entry.cookie for entry in res.entries]
        equal("the number of different names", len(set(names)), len(names))
        equal("the number of different cookies", len(set(cookies)), len(cookies))
        that(not {0, 1, 2} & set(cookies), "READDIR uses a reserved cookie")
        that(not {b".", b"..", b""} & set(names), "READDIR returns . or ..")
        asked = getattr(arg.attr_request, "words", None)
        for entry in res.entries:
            got = set(entry.attrs.__dict__)
            that(asked or got <= set(arg.attr_request), f"attributes {sorted(got)} of an entry")
            if self.supported is not None and not asked and "rdattr_error" not in got:
                wanted = set(arg.attr_request) & self.supported - WRITE_ONLY - MISSING
                that(wanted <= got, f"the supported {sorted(wanted - got)} of an entry are missing")
            self.attributes(entry.attrs, entry.attrs.get("filehandle"))

    # --- files ---

    def check_read(self, arg, res, _handles):
        that(len(res.data) <= arg.count, f"READ of {arg.count} bytes returns {len(res.data)}")
        that(res.eof or res.data or not arg.count, "READ returns neither data nor the end")

    def check_write(self, arg, res, _handles):
        that(res.count <= len(arg.data), f"WRITE of {len(arg.data)} bytes writes {res.count}")
        that(arg.stable <= res.committed <= 2, f"WRITE asked for {arg.stable} is committed as {res.committed}")
        self.verifier(res.writeverf)

    def check_commit(self, _arg, res, _handles):
        self.verifier(res.writeverf)

    def verifier(self, verf):
        equal("the write verifier, while the server runs,", verf, self.write_verifier or verf)
        self.write_verifier = verf

    # --- state ---

    def stateid(self, name, got):
        """A stateid that an operation made or changed."""
        before = self.stateids.get(got.other)
        equal(f"the seqid of a stateid after {name}", got.seqid, 1 if before is None else before + 1)
        self.stateids[got.other] = got.seqid

    def check_close(self, arg, res, _handles):
        self.stateids.pop(arg.open_stateid.other, None)
        got, sent = res.open_stateid, arg.open_stateid
        special = (got.seqid, got.other) == (0xFFFFFFFF, bytes(12))
        that(special or got.other == sent.other, "CLOSE returns another stateid")
        that(special or not sent.seqid or got.seqid in (sent.seqid, sent.seqid + 1),
             f"CLOSE returns the seqid {got.seqid}")

    def check_open(self, arg, res, handles):
        if res.cinfo.before or res.cinfo.after:
            self.change(res.cinfo, handles.current if arg.claim.claim == 0 else None, "OPEN")
        that(not res.rflags & ~RESULT_FLAGS[self.version], f"OPEN returns the flags {res.rflags:#x}")
        self.delegation(arg, res.delegation)
        if not arg.openhow.opentype:
            equal("the attributes that OPEN without creating has set", sorted(map(str, res.attrset)), [])
        elif arg.openhow.how.mode in (UNCHECKED, GUARDED):
            asked = set(arg.openhow.how.attrs.__dict__)
            that(set(res.attrset) <= asked, f"OPEN has set {sorted(map(str, res.attrset - asked))}")

    def delegation(self, arg, got):
        """An open_delegation4."""
        if got.type in (1, 2):
            that(got.stateid.other.strip(got.stateid.other[:1]), "a delegation has a special stateid")
        if got.type == 3:
            that(self.version != "v40", "OPEN_DELEGATE_NONE_EXT in v4.0")
            that(got.none.why <= 8, f"a reason for no delegation is {got.none.why}")
        if arg.share_access & 0xFF00 == WANT_NO_DELEG:
            that(got.type == 0 or got.type == 3 and got.none.why == 0, f"delegation {got}, but none is wanted")

    # --- sessions ---

    def check_sequence(self, arg, res, _handles):
        equal("SEQUENCE's session", res.sessionid, arg.sessionid)
        equal("SEQUENCE's sequence number", res.sequenceid, arg.sequenceid)
        equal("SEQUENCE's slot", res.slotid, arg.slotid)
        that(res.highest_slotid >= arg.slotid, f"highest slot {res.highest_slotid}, used is {arg.slotid}")

    def check_secinfo(self, _arg, res, _handles):
        that(res.flavors, "SECINFO names no flavor")
        for flavor in res.flavors:
            that(flavor.flavor in (0, 1, 6), f"security flavor {flavor.flavor}")

    check_secinfo_no_name = check_secinfo

    def check_exchange_id(self, _arg, res, _handles):
        that(res.server_owner.major_id and res.server_scope, "EXCHANGE_ID names no server")
        that(res.flags & 0x00070000, "EXCHANGE_ID has none of the flags USE_NON_PNFS, USE_PNFS_MDS, USE_PNFS_DS")
