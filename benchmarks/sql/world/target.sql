insert into target (provider, name, subject, label)
values ('altura', %(target)s, %(subject)s, 'The item')
