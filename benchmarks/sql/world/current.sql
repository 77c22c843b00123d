insert into altura_item_holders_current (
    target_id, key_hash, address, balance, name, profile_pic_url, held_since, valid_from
)
select
    target_id,
    key_hash,
    address,
    balance,
    version.name,
    profile_pic_url,
    %(first_at)s + held_from * %(step)s,
    %(first_at)s + begins * %(step)s
from version
cross join target
where ends >= %(snapshots)s
order by key_hash
