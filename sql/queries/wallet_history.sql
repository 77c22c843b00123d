-- What has this wallet, principal or device ever done?
-- first seen: it held that before we looked. Parameter: holder.
-- With psql: -v holder="'0x00000000000000000000000000000000000000aa'"
select
    changed_after,
    changed_until,
    coalesce(label, target) as target,
    kind,
    asset,
    token,
    quantity_before,
    quantity_after,
    delta
from mart.holder_history(:holder)
order by changed_until, target, asset, token;
