import { readdirSync, readFileSync } from 'node:fs';

/** What a process and its descendants have used. Threads are in it. */
export interface Usage {
  /** User and system time, of children that ended too. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Bytes a process caused to be written to a device, less what was dropped before it got there. */
export interface Written {
  readonly writeBytes: number;
}

export interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User, system, and both of children that were waited for; in ticks. */
  readonly ticks: number;
}

/** USER_HZ: 100 on every architecture that Linux still runs Node on. */
const ticksPerSecond = 100;

export function usageOf(pids: readonly number[]): Usage {
  const tree = descendantsOf(pids, allStats());
  const cpuSeconds = tree.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
  const rssBytes = tree.reduce((sum, { pid }) => sum + rssOf(pid), 0);
  return { cpuSeconds, rssBytes };
}

export function writtenBy(pids: readonly number[]): Written {
  const tree = descendantsOf(pids, allStats());
  return { writeBytes: tree.reduce((sum, { pid }) => sum + (parseIo(readProc(`${pid}/io`)) ?? 0), 0) };
}

/** `/proc/PID/stat` (proc_pid_stat(5)). The name in it may hold spaces and parentheses. */
export function parseStat(text: string): Stat | undefined {
  const nameEnd = text.lastIndexOf(')');
  const fields = text
    .slice(nameEnd + 2)
    .split(' ')
    .map(Number);
  const [pid, parent] = [Number.parseInt(text, 10), fields[1]];
  if (nameEnd === -1 || Number.isNaN(pid) || parent === undefined) return undefined;
  // utime, stime, cutime and cstime are fields 14 to 17, the first after the name is field 3.
  const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
  return Number.isNaN(ticks) ? undefined : { pid, parent, ticks };
}

/** `VmRSS` of `/proc/PID/status`, in bytes. */
export function parseRss(text: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** `/proc/PID/io`: written bytes less cancelled ones. */
export function parseIo(text: string): number | undefined {
  const written = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  const cancelled = /^cancelled_write_bytes: (-?\d+)$/m.exec(text)?.[1] ?? '0';
  return written === undefined ? undefined : Number(written) - Number(cancelled);
}

/** The processes named and everything below them. */
export function descendantsOf(pids: readonly number[], stats: readonly Stat[]): readonly Stat[] {
  const found = new Map<number, Stat>();
  let frontier = stats.filter(({ pid }) => pids.includes(pid));
  while (frontier.length > 0) {
    for (const each of frontier) found.set(each.pid, each);
    const parents = new Set(frontier.map(({ pid }) => pid));
    frontier = stats.filter(({ pid, parent }) => parents.has(parent) && !found.has(pid));
  }
  return [...found.values()];
}

/** User and system time of each thread of a process so far, by its id. */
export function threadSecondsOf(pid: number): ReadonlyMap<number, number> {
  const stats = readdirSync(`/proc/${pid}/task`).map((thread) => parseStat(readProc(`${pid}/task/${thread}/stat`)));
  const known = stats.filter((stat) => stat !== undefined);
  return new Map(known.map(({ pid: thread, ticks }) => [thread, ticks / ticksPerSecond]));
}

/** Seconds that each core of this machine was busy so far. */
export function coreSeconds(): readonly number[] {
  return parseCoreSeconds(readProc('stat'));
}

/** The lines `cpuN` of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq. */
export function parseCoreSeconds(text: string): readonly number[] {
  return [...text.matchAll(/^cpu\d+ (.*)$/gm)].map(([, line = '']) => {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(' ').map(Number);
    return (user + nice + system + irq + softirq) / ticksPerSecond;
  });
}

/** Files that a process of ours may have open; Node raises its limit to that by itself. */
export function openFilesMax(): number {
  return parseOpenFilesMax(readProc('self/limits'));
}

/** The hard limit in `/proc/PID/limits`. */
export function parseOpenFilesMax(text: string): number {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1];
  return limit === undefined || limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Cores this process may run on, from `Cpus_allowed_list`. */
export function allowedCores(): readonly number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readProc('self/status'))?.[1] ?? '0';
  return parseCores(list);
}

export function parseCores(list: string): readonly number[] {
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_none, i) => first + i);
  });
}

function allStats(): readonly Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => parseStat(readProc(`${pid}/stat`)))
    .filter((stat) => stat !== undefined);
}

function rssOf(pid: number): number {
  return parseRss(readProc(`${pid}/status`));
}

/** Empty when the process is gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}
