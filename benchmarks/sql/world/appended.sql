insert into appended
select target_id, snapshot_at, address, balance, name, profile_pic, profile_pic_url
from altura_item_holders_as_of(%(moment)s)
order by address
