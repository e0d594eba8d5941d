import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Whether tests with ffmpeg are to be skipped, which it says. */
export function skipsFfmpeg(): boolean {
  if (spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).status === 0) return false;
  console.warn('Tests with ffmpeg are skipped: there is no ffmpeg.');
  return true;
}

const media = fileURLToPath(new URL('../../../src/sample/media/single/', import.meta.url));

/** Forms of live streaming that ffmpeg makes, each below a folder of its own. */
const encodings = {
  'HLS in MPEG-TS': [
    '-f',
    'hls',
    '-hls_time',
    '2',
    '-hls_list_size',
    '8',
    '-hls_flags',
    'program_date_time+delete_segments',
  ],
  'HLS in fMP4': [
    ...['-f', 'hls', '-hls_time', '2', '-hls_list_size', '8', '-hls_segment_type', 'fmp4'],
    ...['-hls_flags', 'program_date_time+delete_segments'],
  ],
  DASH: ['-f', 'dash', '-seg_duration', '2', '-window_size', '8', '-use_timeline', '1', '-use_template', '1'],
  'low-latency DASH': [
    ...['-f', 'dash', '-seg_duration', '2', '-window_size', '8', '-use_timeline', '0', '-use_template', '1'],
    ...['-ldash', '1', '-streaming', '1', '-frag_type', 'duration', '-frag_duration', '0.4', '-target_latency', '2'],
    ...['-write_prft', '1'],
  ],
} as const;
export type Encoding = keyof typeof encodings;

/** An ffmpeg that goes on until it is stopped. */
export interface Ffmpeg {
  stop(): Promise<void>;
  /** The end of what it said. */
  said(): string;
}

/** Puts the sample, again and again and at its own pace, as a live stream to `url`, that of its playlist or MPD. */
export function encodeLive(encoding: Encoding, url: string): Ffmpeg {
  const inputs = ['high.mp4', 'audio.mp4'].flatMap((name) => ['-re', '-stream_loop', '-1', '-i', media + name]);
  const time = encoding.includes('DASH') ? ['-utc_timing_url', new URL('/time', url).href] : [];
  const output = ['-map', '0:v', '-map', '1:a', '-c', 'copy', ...encodings[encoding], ...time];
  return run([...inputs, ...output, '-method', 'PUT', '-http_persistent', '1', url]);
}

/** Plays that many seconds of `url`, decoding everything; resolves to what it complained about. */
export async function playWithFfmpeg(
  url: string,
  { seconds, timeoutMs }: { seconds: number; timeoutMs: number },
): Promise<string> {
  const child = start(['-i', url, '-t', String(seconds), '-f', 'null', '-']);
  const said = textOf(child);
  // Some of its demuxers do not heed SIGTERM while the server is away.
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  return code === 0 ? said() : `${said()}\nffmpeg ended with ${code ?? signal}`;
}

function run(args: readonly string[]): Ffmpeg {
  const child = start(args);
  const said = textOf(child);
  return {
    said,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function start(args: readonly string[]): ChildProcess {
  const options = ['-hide_banner', '-loglevel', 'error', '-nostdin', '-threads', '1'];
  const child = spawn('ffmpeg', [...options, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  return child;
}

const saidMax = 4_000;

function textOf({ stderr }: ChildProcess): () => string {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-saidMax);
  });
  return () => text;
}
