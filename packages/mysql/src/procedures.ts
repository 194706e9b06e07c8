import { taskColumns } from '@sched/core/adapter';

/** The store's time: the injected clock's if one is given, or else the server's, in no time zone of a session. */
export const timeOr = (given: string) =>
  `COALESCE(${given}, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`;

/** How many tasks a procedure handles at a time where it has to find them: so many ids fit into one JSON text. */
const chunk = 500;

/** What a claim gives of each task: its state before. */
export const columns = taskColumns.replaceAll(/\w+/g, 't.$&');

/** In what MySQL and MariaDB differ. */
export interface Dialect {
  /** How texts are kept, and compared: byte by byte, a trailing space included. */
  readonly text: string;
  /** Locks the tasks, under the name of `t`, that are read along with JSON. */
  readonly lock: string;
}

export const dialects = {
  mysql: { text: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin', lock: 'FOR UPDATE OF t' },
  mariadb: { text: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin', lock: 'FOR UPDATE' },
} as const;

/**
 * Every call that changes something, as a procedure: one round trip, in which it begins a transaction, does its work and
 * commits. Each takes a request as JSON text, the injected time or null, and whether it is within the user's own
 * transaction, and then neither begins nor commits.
 *
 * Whatever a call changes it locks first, in the order of ids, which is that of its request; only then does it take a
 * number for tokens and revisions. So whoever comes to hold a lock has a greater number than all who held it before.
 * What is only looked at is read by SELECT … INTO: a SELECT within any other statement locks what it reads.
 *
 * @param p what the names of tables and procedures begin with
 */
export function procedures(p: string, { text, lock }: Dialect): Readonly<Record<string, string>> {
  const string = (length: number) => `VARCHAR(${length}) ${text}`;
  /** One character longer than the column: what is too long must not be cut to what another task is called. */
  const given = (length: number) => string(length + 1);

  /** Rows of a JSON array. */
  const rows = (json: string, path: string, members: string) =>
    `JSON_TABLE(${json}, '${path}' COLUMNS (${members})) AS j`;
  const ids = (json: string, path = '$[*]') => rows(json, path, `id ${given(300)} PATH '$'`);
  const leases = rows(
    'request',
    '$.leases[*]',
    `p FOR ORDINALITY, id ${given(300)} PATH '$.id', token BIGINT PATH '$.token',
      not_before BIGINT PATH '$.notBefore'`,
  );
  const task = `id ${given(300)} PATH '$.id', name ${given(255)} PATH '$.name',
    queue ${given(255)} PATH '$.queue', group_name ${given(255)} PATH '$.group',
    status VARCHAR(9) PATH '$.status', paused TINYINT PATH '$.paused', run_at BIGINT PATH '$.runAt',
    body LONGTEXT ${text} PATH '$.body'`;
  const join = `STRAIGHT_JOIN ${p}_tasks AS t FORCE INDEX (PRIMARY) ON t.id = j.id`;

  /** A number that no other call has, greater than those that were taken before. */
  const takeNumber = `INSERT INTO ${p}_counter () VALUES ();
  SET number = LAST_INSERT_ID();
  DELETE FROM ${p}_counter WHERE n = number;
  DO LAST_INSERT_ID(last_id);`;

  const insert = (from: string, where = '') => `INSERT INTO ${p}_tasks
    (id, name, queue, group_name, status, paused, run_at, body, revision)
  SELECT j.id, j.name, j.queue, j.group_name, j.status, j.paused, j.run_at, j.body, number
  FROM ${from} ${where} ON DUPLICATE KEY UPDATE id = ${p}_tasks.id;`;

  const procedure = (
    variables: string,
    body: string,
    after = '',
  ) => `(request JSON, given BIGINT, nested BOOLEAN)
SQL SECURITY INVOKER MODIFIES SQL DATA
BEGIN
  DECLARE moment BIGINT DEFAULT ${timeOr('given')};
  DECLARE number BIGINT;
  DECLARE last_id BIGINT UNSIGNED DEFAULT LAST_INSERT_ID();
  ${variables}
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    BEGIN
      DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
      IF nested THEN ROLLBACK TO SAVEPOINT ${p}_call; ELSE ROLLBACK; END IF;
    END;
    RESIGNAL;
  END;
  IF nested THEN
    SAVEPOINT ${p}_call;
    RELEASE SAVEPOINT ${p}_call;
    SAVEPOINT ${p}_call;
  ELSE
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION READ WRITE;
  END IF;
  ${body}
  IF nested THEN RELEASE SAVEPOINT ${p}_call; ELSE COMMIT; END IF;
  ${after}
END`;

  /** Walks through the tasks of a selector, and does something about so many of them at a time. */
  const bulk = (change: (where: string) => string) =>
    procedure(
      `DECLARE chosen LONGTEXT ${text};
  DECLARE last ${string(300)} DEFAULT '';
  DECLARE wanted ${string(255)} DEFAULT JSON_UNQUOTE(JSON_EXTRACT(request, '$.group'));
  DECLARE pausing BOOLEAN DEFAULT JSON_EXTRACT(request, '$.paused');
  DECLARE found INT;
  DECLARE changed BIGINT DEFAULT 0;`,
      `REPEAT
    IF JSON_CONTAINS_PATH(request, 'one', '$.ids') THEN
      SET chosen = JSON_EXTRACT(request, '$.ids'), found = 0;
    ${['wanted IS NOT NULL', 'ELSE']
      .map((condition) => {
        const isGroup = condition !== 'ELSE';
        const select = `SELECT id FROM ${p}_tasks FORCE INDEX (${isGroup ? `${p}_group` : 'PRIMARY'})
          WHERE ${isGroup ? 'group_name = wanted AND' : ''} id > last ORDER BY id LIMIT ${chunk}`;
        const into = (
          lock: string,
        ) => `SELECT COUNT(*), JSON_ARRAYAGG(c.id), COALESCE(MAX(c.id), '')
          INTO found, chosen, last FROM (${select} ${lock}) AS c;`;
        return `${isGroup ? `ELSEIF ${condition} THEN` : 'ELSE'}
      IF nested THEN ${into('FOR UPDATE')} ELSE ${into('')} END IF;`;
      })
      .join('\n    ')}
    END IF;
    IF chosen IS NOT NULL THEN
      ${change('(wanted IS NULL OR t.group_name = wanted)')}
      SET changed = changed + ROW_COUNT();
    END IF;
  UNTIL found < ${chunk} END REPEAT;`,
      'SELECT changed;',
    );

  return {
    insert: procedure(
      '',
      `${takeNumber}
  ${insert(rows('request', '$[*]', task))}
  SELECT j.p FROM ${rows('request', '$[*]', `p FOR ORDINALITY, id ${given(300)} PATH '$.id'`)} ${join}
  WHERE t.revision = number;`,
    ),

    // Within a transaction of the user's it is read what is, and not what was when that began.
    get: procedure(
      '',
      `IF nested THEN SELECT ${columns} FROM ${ids('request')} ${join} ${lock};
  ELSE SELECT ${columns} FROM ${ids('request')} ${join}; END IF;`,
    ),

    update: procedure(
      `DECLARE found, expected BIGINT DEFAULT NULL;
  DECLARE own ${string(300)} DEFAULT JSON_UNQUOTE(JSON_EXTRACT(request, '$.id'));`,
      `SELECT MAX(revision) INTO found FROM ${p}_tasks WHERE id = own FOR UPDATE;
  SET expected = JSON_EXTRACT(request, '$.revision');
  IF found = expected THEN
    ${takeNumber}
    UPDATE ${rows('request', '$', `${task}, in_group TINYINT EXISTS PATH '$.group', has_run_at TINYINT EXISTS PATH '$.runAt'`)} ${join}
    SET t.name = COALESCE(j.name, t.name), t.queue = COALESCE(j.queue, t.queue),
      t.group_name = IF(j.in_group, j.group_name, t.group_name),
      t.status = COALESCE(j.status, t.status), t.run_at = IF(j.has_run_at, j.run_at, t.run_at),
      t.body = COALESCE(j.body, t.body), t.revision = number;
  END IF;`,
      'SELECT found, number;',
    ),

    set_paused: bulk(
      (where) => `UPDATE ${ids('chosen')} ${join}
      SET t.paused = pausing, t.resumed_at = IF(pausing, t.resumed_at, moment)
      WHERE t.paused <> pausing AND ${where};`,
    ),

    remove: bulk((where) => `DELETE t FROM ${ids('chosen')} ${join} WHERE ${where};`),

    claim: procedure(
      `DECLARE queues INT DEFAULT JSON_LENGTH(request, '$.queues');
  DECLARE room BIGINT DEFAULT JSON_EXTRACT(request, '$.limit');
  DECLARE ends BIGINT DEFAULT moment + JSON_EXTRACT(request, '$.leaseMs');
  DECLARE own_name VARCHAR(1000) ${text} DEFAULT JSON_UNQUOTE(JSON_EXTRACT(request, '$.owner'));
  DECLARE position INT DEFAULT 0;
  DECLARE this_queue ${string(255)};
  DECLARE chosen LONGTEXT ${text};
  DECLARE most, taken INT;
  DECLARE first, wakes BIGINT;`,
      `WHILE position < queues DO
    SET this_queue = JSON_UNQUOTE(JSON_EXTRACT(request, CONCAT('$.queues[', position, ']')));
    SET taken = 0, most = 0;
    WHILE room > 0 AND taken = most DO
      SET most = LEAST(room, ${chunk});
      SELECT COUNT(*), JSON_ARRAYAGG(d.id) INTO taken, chosen FROM (
        SELECT id FROM ${p}_tasks FORCE INDEX (${p}_due)
        WHERE queue = this_queue AND wake_at <= moment
        ORDER BY wake_at LIMIT most FOR UPDATE SKIP LOCKED
      ) AS d;
      IF taken > 0 THEN
        ${takeNumber}
        SELECT ${columns}, number FROM ${ids('chosen')} ${join} ${lock};
        UPDATE ${ids('chosen')} ${join}
        SET t.lease_token = number, t.lease_owner = own_name, t.lease_expires_at = ends,
          t.deliveries = t.deliveries + 1;
      END IF;
      SET room = room - taken;
    END WHILE;
    SELECT MAX(d.wake_at) INTO first FROM (
      SELECT wake_at FROM ${p}_tasks FORCE INDEX (${p}_due)
      WHERE queue = this_queue AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1
    ) AS d;
    SET wakes = LEAST(COALESCE(wakes, first), COALESCE(first, wakes));
    SET position = position + 1;
  END WHILE;`,
      'SELECT moment, wakes;',
    ),

    extend: procedure(
      `DECLARE ends BIGINT DEFAULT moment + JSON_EXTRACT(request, '$.leaseMs');`,
      `SELECT j.p, t.revision FROM ${leases} ${join}
  WHERE t.lease_token = j.token ${lock};
  UPDATE ${leases} ${join} SET t.lease_expires_at = ends
  WHERE t.lease_token = j.token;`,
    ),

    release: procedure(
      '',
      `SELECT j.p FROM ${leases} ${join} WHERE t.lease_token = j.token ${lock};
  UPDATE ${leases} ${join} SET t.lease_token = NULL, t.lease_owner = NULL, t.lease_expires_at = NULL,
    t.deliveries = t.deliveries - 1, t.run_at = GREATEST(t.run_at, COALESCE(j.not_before, t.run_at))
  WHERE t.lease_token = j.token;`,
    ),

    settle: settle(),
  };

  function settle(): string {
    const settlements = rows(
      'request',
      '$.settlements[*]',
      `p FOR ORDINALITY, id ${given(300)} PATH '$.id', token BIGINT PATH '$.token',
      revision BIGINT PATH '$.revision', status VARCHAR(9) PATH '$.next.status',
      run_at BIGINT PATH '$.next.runAt', paused TINYINT PATH '$.next.paused',
      body LONGTEXT ${text} PATH '$.next.body'`,
    );
    const applied = `SUBSTR(verdicts, j.p, 1) = 'A'`;
    return procedure(
      `DECLARE verdicts VARCHAR(1024) CHARACTER SET ascii;
  DECLARE oldest BIGINT DEFAULT moment - JSON_EXTRACT(request, '$.forget.age');
  DECLARE stale INT DEFAULT JSON_EXTRACT(request, '$.forget.stale');
  DECLARE keep BIGINT DEFAULT JSON_EXTRACT(request, '$.forget.keep');
  DECLARE drawn INT DEFAULT COALESCE(JSON_LENGTH(request, '$.forget.tasks'), 0);
  DECLARE filed_under ${string(300)};
  DECLARE last_at, last_seq BIGINT;`,
      `SELECT GROUP_CONCAT(v.verdict ORDER BY v.p SEPARATOR '') INTO verdicts FROM (
    SELECT j.p, CASE WHEN t.settled_token = j.token THEN 'S'
      WHEN t.lease_token = j.token AND t.revision = j.revision THEN 'A'
      WHEN t.lease_token = j.token THEN 'C'
      ELSE 'L' END AS verdict
    FROM ${settlements} LEFT JOIN ${p}_tasks AS t FORCE INDEX (PRIMARY) ON t.id = j.id ${lock}
  ) AS v;
  IF LOCATE('A', verdicts) > 0 THEN
    ${takeNumber}
    UPDATE ${settlements} ${join}
    SET t.status = j.status, t.run_at = j.run_at, t.body = j.body, t.paused = t.paused OR COALESCE(j.paused, 0),
      t.lease_token = NULL, t.lease_owner = NULL, t.lease_expires_at = NULL, t.deliveries = 0,
      t.revision = number, t.settled_token = j.token
    WHERE ${applied} AND j.status IS NOT NULL;
    DELETE t FROM ${settlements} ${join} WHERE ${applied} AND j.status IS NULL;
    IF JSON_LENGTH(request, '$.history') > 0 THEN
      INSERT INTO ${p}_history (task_id, id, at, seq, body)
      SELECT j.task_id, j.id, j.at, number * 100000 + j.item, j.body
      FROM ${rows('request', '$.history[*]', `item FOR ORDINALITY, p INT PATH '$.p', task_id ${given(300)} PATH '$.taskId', id ${given(400)} PATH '$.id', at BIGINT PATH '$.at', body LONGTEXT ${text} PATH '$.body'`)}
      WHERE ${applied} ON DUPLICATE KEY UPDATE id = ${p}_history.id;
    END IF;
    IF JSON_LENGTH(request, '$.spawn') > 0 THEN
      ${insert(rows('request', '$.spawn[*]', `p INT PATH '$.p', ${task}`), `WHERE ${applied}`)}
    END IF;
  END IF;`,
      `SELECT verdicts;
  IF NOT nested THEN
    BEGIN
      DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END;
      WHILE drawn > 0 DO
        SET drawn = drawn - 1, last_at = NULL;
        SET filed_under = JSON_UNQUOTE(JSON_EXTRACT(request, CONCAT('$.forget.tasks[', drawn, ']')));
        SELECT MAX(e.at), MAX(e.seq) INTO last_at, last_seq FROM (
          SELECT at, seq FROM ${p}_history FORCE INDEX (${p}_newest) WHERE task_id = filed_under
          ORDER BY at DESC, seq DESC LIMIT keep, 1
        ) AS e;
        IF last_at IS NOT NULL THEN
          DELETE FROM ${p}_history
          WHERE task_id = filed_under AND (at < last_at OR (at = last_at AND seq <= last_seq));
        END IF;
      END WHILE;
      DELETE FROM ${p}_history WHERE at < oldest ORDER BY at LIMIT stale;
    END;
  END IF;`,
    );
  }
}
