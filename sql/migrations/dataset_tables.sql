-- No foreign key to target: it would be checked row by row at every load, and the only way in
-- is the publish transaction, whose snapshot row has one.
create table {current} (
    target_id integer not null,
    key_hash uuid not null,
    {definitions},
    held_since timestamptz not null,
    valid_from timestamptz not null,
    {definition_of_place}
    primary key (target_id, key_hash),
    check (held_since <= valid_from)
) with (fillfactor = 90);

create index on {current} (target_id, valid_from);
{index_of_amount}


create table {history} (
    target_id integer not null,
    key_hash uuid not null,
    {definitions},
    held_since timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    primary key (target_id, key_hash, valid_from),
    check (held_since <= valid_from),
    check (valid_to > valid_from)
);

create index on {history} (target_id, valid_from);
create index on {history} (target_id, valid_to);

-- What held at a moment, wherever in years of history that is.
create index on {history} using gist (tstzrange(valid_from, valid_to));


comment on table {current} is {about_current};
comment on column {current}.target_id is {about_target};
comment on column {current}.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
{comments_of_current}
comment on column {current}.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column {current}.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
{comment_of_place}

comment on table {history} is {about_history};
comment on column {history}.target_id is {about_target};
comment on column {history}.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
{comments_of_history}
comment on column {history}.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column {history}.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column {history}.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
