/** Keys that have broken key-value stores: all valid, all different. */
export const hostileKeys: readonly string[] = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length',
  'A', 'a', 'ä', 'a\u0308', 'ß', 'ss', 'ı', 'I',
  '0', '1', '01', '-1', '10', '9', '4294967295', '1e3', 'NaN', 'null', 'undefined', 'true',
  ' ', '  ', ' key', 'key ', ' key ', '\tkey', 'key\n', 'key\r\n', '\n', 'two\nlines', '\u0001', '\u001f', '\u007f', '\u0085', '\u00a0',
  '"', '""', '\'', '`', '\\', '\\\\', '\\n', '\\u0041', '"key":1', '{', '}', '[', ']', ',', ':', '/', '//', '..', '%', '_', '%00', '*', '?', '$1', '--',
  '\u2028', '\u2029', '\u200b', '\u202e', '\ufeffkey', '\ufffd', '\uffff', '😀', '👨‍👩‍👧', '🇩🇪', '\u{10ffff}',
  'k'.repeat(1_023) + 'a', 'k'.repeat(1_023) + 'b', 'ä'.repeat(512), '😀'.repeat(256), '\n'.repeat(1_024),
];

/** JSON texts that do not survive being parsed and written again, or being put into another text carelessly. */
export const hostileTexts: readonly string[] = [
  'null', 'true', 'false', '0', '-0', '1', '-1', '""', '{}', '[]', '[null]', '" "',
  '12345678901234567890123456789', '0.1000000000000000055511151231257827', '1e400', '-1e400', '1e-400', '1E+2', '1.0', '1.50',
  '{"a":1,"a":2}', '{"b":1,"a":2}', '{"2":1,"1":2}', '{"":1}', '{"__proto__":1}', '{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":1}}',
  '{ "a" : [ 1 , 2 ] }',
  '"\\u0000"', '"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"', '"\\ud83d\\ude00"', '"\\\\u0000"', '"\u007f\u0085\u00a0"',
  '"\u2028\u2029"', '"\ufeff"', '"\ufffd\uffff"', '"😀👨‍👩‍👧"', '"ä"', '"a\u0308"', '"\'"', '"\'); drop table entries; --"', '"%s $1 ?1 :name @name"', '"</script><!--"',
  '['.repeat(500) + ']'.repeat(500),
  '{"a":'.repeat(500) + '1' + '}'.repeat(500),
  `"${'x'.repeat(1_000_000)}"`,
  `"${'😀'.repeat(100_000)}"`,
  `[${'0,'.repeat(50_000)}0]`,
];

/** Names of stores that are one file, table or path in disguise: all valid, all different. */
export const hostileNames: readonly string[] = [
  'a', 'A', 'a.', 'a ', ' a', ' ', 'a.json', 'a.json.lock', 'a.json.1.log', 'a.db', 'a-wal',
  'a/b', 'a\\b', 'a:b', 'a_b', 'a%2Fb', 'a%2fb', 'a-b', '/a', './a', '../a', '.', '..', '...', '/', '\\', '~', '.a',
  '%', '%25', '%00', '%2e%2e', 'CON', 'con', 'NUL.txt', 'aux', 'COM1', 'lpt1',
  'ä', 'a\u0308', 'Ä', '😀', '"a"', '\'a\'', '`a`', '[a]', 'a; drop table a; --', 'a"b', '?', '*', '<a>', '|', '\n', '\t', '\u2028', '\ufeffa', '\u202e',
  '__proto__', 'constructor', 'toString', 'sqlite_master', 'rx_persistify_dictionaries', 'rx_persistify_writers', 'pg_class', 'select', '0', '00',
  'n'.repeat(128), 'n'.repeat(127) + 'm', 'N'.repeat(128), 'ä'.repeat(128), '😀'.repeat(64), '/'.repeat(128), '.'.repeat(128),
];
