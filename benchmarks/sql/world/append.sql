-- What an append of every snapshot keeps: each row with its moment, found by moment and address.
create table appended (
    target_id integer not null,
    snapshot_at timestamptz not null,
    address text collate "C" not null,
    balance numeric not null,
    name text collate "C",
    profile_pic text collate "C",
    profile_pic_url text collate "C",
    primary key (target_id, snapshot_at, address)
)
