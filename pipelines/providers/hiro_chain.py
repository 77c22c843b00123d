"""Hiro: which Stacks blocks are canonical.

Read in the API server's source (v9.0.2, src/api/routes/v2/blocks.ts, src/datastore/pg-store-v2.ts)
and in its answers. `GET /extended/v2/blocks` lists canonical blocks, the newest first, 30 at most;
its `cursor` is the hash of the block that the page begins with, 404 where that is not canonical.
Its words are turned around: `prev_cursor` leads to the older blocks, `next_cursor` to the newer.
`GET /extended/v2/blocks/{hash}` answers 404 for a block that is orphaned or that was never heard
of. Neither is deprecated.
"""

import re

import msgspec

from pipelines.errors import MalformedAnswer
from pipelines.providers.chain import Block, Blocks, Chain
from pipelines.providers.decoding import decode
from pipelines.providers.pages import Answer, PageRequest
from pipelines.providers.provider import count, shorten

BLOCKS = "/extended/v2/blocks"
MOST_BLOCKS = 30

_HASH = re.compile(r"0x[0-9a-f]{64}")
_TAG = re.compile(rf'(?:W/)?"({_HASH.pattern})"')


class _Block(msgspec.Struct, frozen=True):
    canonical: bool
    height: int
    index_block_hash: str


class _Blocks(msgspec.Struct, frozen=True):
    prev_cursor: str | None
    results: list[_Block]


def tip_of(tag: str | None) -> str | None:
    """The hash in the ETag of a v1 answer; those of v3 are the principal's own."""
    found = _TAG.fullmatch(tag or "")
    return found[1] if found else None


def list_request(cursor: str | None) -> PageRequest:
    query = (("limit", str(MOST_BLOCKS)), *((("cursor", cursor),) if cursor else ()))
    return PageRequest(path=BLOCKS, query=query)


def read_list(answer: Answer) -> Blocks:
    body = decode(answer.body, _Blocks)
    blocks = tuple(_block(block, f"$.results[{n}]") for n, block in enumerate(body.results))
    if not blocks:
        raise MalformedAnswer("$.results has no block")
    if any(block.height != blocks[0].height - n for n, block in enumerate(blocks)):
        raise MalformedAnswer("$.results is not a block for each height, the newest first")
    older = None if body.prev_cursor is None else _hash(body.prev_cursor, "$.prev_cursor")
    return Blocks(blocks, older)


def block_request(block_hash: str) -> PageRequest:
    return PageRequest(path=f"{BLOCKS}/{block_hash}", query=())


def read_block(answer: Answer) -> Block:
    return _block(decode(answer.body, _Block), "$")


def _block(block: _Block, path: str) -> Block:
    if not block.canonical:
        raise MalformedAnswer(f"{path}.canonical is false, where only canonical blocks are told")
    height = count(block.height, f"{path}.height")
    return Block(_hash(block.index_block_hash, f"{path}.index_block_hash"), height)


def _hash(text: str, path: str) -> str:
    if not _HASH.fullmatch(text):
        raise MalformedAnswer(f"{path} is {shorten(text)!r}, expected the hash of a block")
    return text


HIRO_CHAIN = Chain(
    tip_of=tip_of,
    list_request=list_request,
    read_list=read_list,
    block_request=block_request,
    read_block=read_block,
)
