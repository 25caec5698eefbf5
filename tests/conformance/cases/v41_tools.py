# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_tools.py -- what tests of NFS v4.1 and v4.2 share
from nfs4 import CompoundArgs
from rpc import RpcError
from suite import Failed, equal
from xdr import Record

BAD_XDR = ("RFC 8881 15.1.1.1", "The arguments for this operation do not match those specified in the XDR definition")


def another(env, name, **options):
    """A client whose name nobody else has."""
    return env.new_client(f"{env.client.name.decode()} {name}", **options)


def fails_alone(env, names, *ops, **options):
    """A COMPOUND without SEQUENCE, whose last operation has to fail; errors of the whole have no results."""
    reply = env.send(list(ops), **options).expect(*names.split())
    if len(reply) not in (0, len(ops)):
        raise Failed(f"{reply} as answer {len(reply)} of {len(ops)}")
    return reply


def malformed(env, bad, *before, also=""):
    """Sends SEQUENCE, the operations `before`, and the bytes `bad` as another one. The server has to say, by RPC or by
    NFS, that it can't decode them (or one of `also`)."""
    sequence = env.session.sequence()
    ops = [sequence, *before]
    good = CompoundArgs.encode(Record(tag=env.tag, minorversion=env.minor, argarray=ops))
    head = len(env.tag) + -len(env.tag) % 4 + 8
    data = good[:head] + (len(ops) + 1).to_bytes(4, "big") + good[head + 4:] + bad
    try:
        reply = env.send_bytes(data)
    except RpcError as problem:
        if problem.what != "GARBAGE_ARGS":
            raise
        return
    reply.expect("NFS4ERR_BADXDR", "NFS4ERR_INVAL", *also.split())
    if len(reply) > 1:
        env.session.take(0)


def argument(op):
    """The bytes of one operation of a COMPOUND."""
    return CompoundArgs.fields["argarray"].item.encode(op)


def same_reply(first, second):
    """A retry's reply has to be the first one's."""
    equal("the retry's status", second.status, first.status)
    equal("the retry's results", second.results, first.results)
