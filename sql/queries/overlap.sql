-- How much do the holders of our items and assets overlap?
-- Every pair of targets of a provider that have holders in common. percent_of_either: of all who
-- hold one or the other.
select
    coalesce(ta.label, ta.target) as one,
    coalesce(tb.label, tb.target) as other,
    count(*) as common,
    round(100.0 * count(*) / min(ta.rows), 2) as percent_of_one,
    round(100.0 * count(*) / min(tb.rows), 2) as percent_of_other,
    round(100.0 * count(*) / (min(ta.rows) + min(tb.rows) - count(*)), 2) as percent_of_either
from mart.holders_now a
join mart.holders_now b
    on b.provider = a.provider and b.holder = a.holder and b.target_id > a.target_id
join mart.targets ta on ta.target_id = a.target_id
join mart.targets tb on tb.target_id = b.target_id
where a.provider in (select provider from dataset where not target_holds)
group by ta.target_id, ta.label, ta.target, tb.target_id, tb.label, tb.target
order by percent_of_either desc, 1, 2;
