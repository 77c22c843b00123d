-- In the order in which snapshots would have ended them: the indexes grow as they do in use.
insert into altura_item_holders_history (
    target_id, key_hash, address, balance, name, profile_pic_url, held_since, valid_from, valid_to
)
select
    target_id,
    key_hash,
    address,
    balance,
    version.name,
    profile_pic_url,
    %(first_at)s + held_from * %(step)s,
    %(first_at)s + begins * %(step)s,
    %(first_at)s + ends * %(step)s
from version
cross join target
where ends < %(snapshots)s
order by ends, key_hash
