-- Who holds most of each asset now, with the share of all that is held.
select
    p.target,
    p.holder,
    p.amount,
    round(100 * p.amount / sum(p.amount) over (partition by p.target_id), 2) as percent,
    p.held_since
from positions p
where p.valid_to is null and p.provider <> 'hiro' and p.amount > 0
order by p.target, p.amount desc;
