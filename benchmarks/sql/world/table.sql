create temp table version (
    slot bigint,
    address text collate "C",
    key_hash uuid,
    balance numeric,
    name text collate "C",
    profile_pic_url text collate "C",
    held_from bigint,
    begins bigint,
    ends bigint,
    enters boolean,
    leaves boolean
)
