create table chain_tip (
    provider text collate "C" not null,
    hash text collate "C" not null,
    height bigint check (height >= 0),
    line text collate "C" not null,
    seen_at timestamptz not null default clock_timestamp(),
    followed_at timestamptz,
    orphaned_at timestamptz,
    primary key (provider, hash)
);

create index on chain_tip (line, height);
create index on chain_tip (seen_at);
create index on chain_tip (provider) where followed_at is null and orphaned_at is null;

comment on table chain_tip is 'Blocks of a provider''s chain that were its newest when a walk ended. A later snapshot rests on an earlier one only while its block is part of the chain.';
comment on column chain_tip.provider is 'Name of the provider.';
comment on column chain_tip.hash is 'Hash of the block; of Hiro its index_block_hash.';
comment on column chain_tip.height is 'Height of the block; null where it was orphaned before that was known.';
comment on column chain_tip.line is 'Blocks with the same line are ancestors of the newest of them.';
comment on column chain_tip.seen_at is 'When it was first known to be part of the chain.';
comment on column chain_tip.followed_at is 'When a later run found that the chain still leads through it, or through a later block of its line.';
comment on column chain_tip.orphaned_at is 'When it was found to be no longer part of the chain; nothing rests on it from then on. Null: never.';


alter table snapshot
    add column chain_tip text collate "C",
    add column api text collate "C",
    drop constraint snapshot_proof_check,
    add constraint snapshot_proof_check check (
        proof in (
            'single_page', 'chained', 'chained_to_last', 'one_version', 'same_version',
            'double_collect'
        )
    );

comment on column snapshot.proof is 'Why the rows are one true state: single_page, chained, chained_to_last, one_version, same_version or double_collect.';
comment on column snapshot.api is 'API of the provider that was asked; null where it has one alone.';

comment on column snapshot.chain_tip is 'Block that was the newest of the chain when the walk had ended, and of which all that the walk saw are ancestors; null where that was not asked for.';
comment on column snapshot.first_tip is 'Tag of the set at the first answer of the walk; of Hiro''s v1 it is the tip of the chain.';
comment on column snapshot.last_tip is 'Tag of the set at the last answer; another one than first_tip says that something was added meanwhile.';


create table provider_notice (
    notice_id bigint generated always as identity primary key,
    provider text collate "C" not null,
    header text collate "C" not null,
    text text collate "C" not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    unique (provider, header, text)
);

comment on table provider_notice is 'What providers say about the end of what is asked for: the headers Warning, Deprecation and Sunset of their answers.';
comment on column provider_notice.notice_id is 'Number of the notice.';
comment on column provider_notice.provider is 'Name of the provider.';
comment on column provider_notice.header is 'Name of the header: warning, deprecation or sunset.';
comment on column provider_notice.text is 'Its text, shortened, with what can''t be printed as an escape.';
comment on column provider_notice.first_seen_at is 'When an answer first said so.';
comment on column provider_notice.last_seen_at is 'When an answer said so last.';


create table provider_api (
    provider text collate "C" primary key,
    api text collate "C" not null,
    since timestamptz not null default clock_timestamp(),
    tried_at timestamptz not null default clock_timestamp()
);

comment on table provider_api is 'Which of a provider''s APIs is asked, where it is not the first one: that one is gone.';
comment on column provider_api.provider is 'Name of the provider.';
comment on column provider_api.api is 'Name of the API.';
comment on column provider_api.since is 'When it was taken in place of the first one.';
comment on column provider_api.tried_at is 'When the first one was asked last whether it is back.';


alter table hiro_nft_holdings_current
    alter column block_height drop not null,
    alter column tx_id drop not null;

alter table hiro_nft_holdings_history
    alter column block_height drop not null,
    alter column tx_id drop not null;

comment on column hiro_nft_holdings_current.block_height is 'Block in which the principal received the token; null where only v3 has shown it.';
comment on column hiro_nft_holdings_current.tx_id is 'Transaction by which the principal received the token; null where only v3 has shown it.';
comment on column hiro_nft_holdings_history.block_height is 'Block in which the principal received the token; null where only v3 has shown it.';
comment on column hiro_nft_holdings_history.tx_id is 'Transaction by which the principal received the token; null where only v3 has shown it.';
