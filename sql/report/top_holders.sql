select target_id, rank, holder, asset, quantity, share, held_since
from mart.top_holders(:how_many)
where target_id = any(:targets)
order by target_id, rank, holder, asset;
