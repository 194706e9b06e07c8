/** @jsxImportSource preact */

import { Fragment } from 'preact';
import {
  type ClockChange,
  clockChange,
  isZone,
  moment,
  offsetMinutes,
  offsetText,
  ownZone,
} from './format.js';
import { Empty, Head, now, Scroll, When } from './parts.js';

interface Row {
  readonly at: string;
  /** The changes of clocks since the occurrence before, by zone. */
  readonly changes: readonly (ClockChange & { readonly zone: string })[];
}

interface OccurrencesProps {
  occurrences: readonly string[] | null;
  /** Whose clock the trigger goes by; null where it goes by none. */
  zone: string | null;
  label: string;
}

/** When a task runs next: in its own time zone and in that of whoever looks, with the clock changes between. */
export function Occurrences({ occurrences, zone, label }: OccurrencesProps) {
  if (occurrences === null) {
    return <Empty>The kind of its trigger is not known to this server.</Empty>;
  }
  if (occurrences.length === 0) return <Empty>It will not run again.</Empty>;
  const its = zone !== null && zone !== ownZone && isZone(zone) ? zone : null;
  const zones = its === null ? [ownZone] : [its, ownZone];
  return (
    <Scroll label={label}>
      <table class="occurrences" data-testid="occurrences">
        <Head
          columns={[
            'From now',
            ...zones.map((each) => `${each === its ? 'Its' : 'Your'} zone, ${each}`),
          ]}
        />
        <tbody>
          {rowsOf(occurrences, zones).map(({ at, changes }, index) => (
            <Fragment key={`${index} ${at}`}>
              {changes.map((change) => (
                <tr key={change.zone} class="clock-change" data-testid="clock-change">
                  <td colSpan={1 + zones.length}>{changeWords(change)}</td>
                </tr>
              ))}
              <tr>
                <td class="nowrap">
                  <When at={at} />
                </td>
                {zones.map((each) => (
                  <td key={each} class="nowrap">
                    {moment(at, each)}{' '}
                    <span class="faint">{offsetText(offsetMinutes(Date.parse(at), each))}</span>
                  </td>
                ))}
              </tr>
            </Fragment>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function rowsOf(occurrences: readonly string[], zones: readonly string[]): Row[] {
  let before = now.peek();
  return occurrences.map((at) => {
    const time = Date.parse(at);
    const changes = zones.flatMap((zone) => {
      const change = time > before ? clockChange(before, time, zone) : undefined;
      return change ? [{ ...change, zone }] : [];
    });
    before = time;
    return { at, changes: changes.sort((a, b) => a.at - b.at) };
  });
}

function changeWords({ zone, at, before, after }: Row['changes'][number]): string {
  const [day] = wallClock(at, before).split(', ');
  const [was, is] = [before, after].map((offset) => wallClock(at, offset).split(', ')[1]);
  return `${day}: clocks in ${zone} go from ${was} to ${is} (${offsetText(before)} to ${offsetText(after)}).`;
}

/** What a clock shows that is so many minutes ahead of UTC, without seconds. */
function wallClock(at: number, offset: number): string {
  return moment(at + offset * 60_000, 'UTC').replace(/:\d\d$/, '');
}
