select target_id, days_from, days_to, positions, quantity, share_of_positions, at_least
from mart.holding_age
where target_id = any(:targets)
order by target_id, days_from;
