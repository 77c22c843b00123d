select target_id, month, at_least, days, entered, observed, still_holding, survival
from mart.cohorts
where target_id = any(:targets)
order by target_id, at_least desc, month, days;
