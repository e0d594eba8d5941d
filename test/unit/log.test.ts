import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EddyError } from '../../src/errors.ts';
import { LineOutput } from '../../src/log/output.ts';
import { openLog } from '../../src/log.ts';

function logTo(level: string) {
  let text = '';
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  const opened = openLog({ level, destination });
  const lines = async () => {
    await opened.flush();
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { ...opened, lines };
}

describe('the log', () => {
  it('is JSON lines with level, time and message', async () => {
    const { log, lines } = logTo('info');
    log.debug({}, 'not shown');
    log.warn({ bytes: 3 }, 'shown');
    expect(await lines()).toEqual([{ level: 'warn', time: expect.any(Number), bytes: 3, msg: 'shown' }]);
  });

  it('writes some lines at any level', async () => {
    const { log, always, fatal, lines } = logTo('silent');
    log.error({}, 'not shown');
    log.access(200, (status) => `{"status":${status}}\n`);
    always({ http: ['http://a.example'] }, 'ready');
    fatal({ err: new Error('broken') }, 'over');
    expect(await lines()).toMatchObject([
      { level: 'info', msg: 'ready', http: ['http://a.example'] },
      { level: 'fatal', msg: 'over', err: { type: 'Error', message: 'broken' } },
    ]);
  });

  it('changes its level while it runs', async () => {
    const { log, lines } = logTo('error');
    log.setLevel('debug');
    log.debug({}, 'shown');
    expect(await lines()).toMatchObject([{ level: 'debug' }]);
  });

  it('has one line for each request, at level info', async () => {
    const { log, lines } = logTo('info');
    const lineOf = (time: number) => `{"time":${time}}\n`;
    log.access(1, lineOf);
    log.setLevel('warn');
    log.access(2, lineOf);
    log.warn({}, 'after');
    expect(await lines()).toMatchObject([{ time: 1 }, { msg: 'after' }]);
  });
});

describe('secrets', () => {
  it.each([
    { authorization: 'Bearer hunter2' },
    { request: { headers: { cookie: 'hunter2' } } },
    { cookie: ['hunter2'] },
    { adminToken: 'hunter2' },
    { maps: [{ headers: { Authorization: 'hunter2' } }] },
    { url: 'https://user:hunter2@a.example/' },
    { target: '/a.m3u8?x=1&hdnts=hunter2&y=2' },
    { target: '/a?access_token=hunter2' },
    { message: 'sent Authorization: Bearer hunter2' },
    { err: new Error('GET /a?sig=hunter2', { cause: new Error('https://u:hunter2@b.example') }) },
    { key: Buffer.from('hunter2') },
    { deep: { a: { b: { c: { d: { e: { f: { g: 'hunter2' } } } } } } } },
  ])('are not in the log: %j', async (about) => {
    const { log, lines } = logTo('info');
    log.error(about, 'message');
    const [line] = await lines();
    expect(line).toMatchObject({ level: 'error', msg: 'message' });
    expect(JSON.stringify(line)).not.toContain('hunter2');
  });

  it('leave counts and plain text alone', async () => {
    const { log, lines } = logTo('info');
    const about = { tokens: 3, hasToken: true, url: 'http://a.example/x?y=1', reasons: ['disk is full'], none: null };
    log.info(about, 'message');
    expect(await lines()).toMatchObject([about]);
  });
});

it('errors of the program keep their code, side and cause', async () => {
  const { log, lines } = logTo('info');
  const cause = new Error('ECONNRESET');
  log.error({ err: new EddyError('origin-broken', 'cut off', { side: 'upstream', cause }) }, 'failed');
  expect(await lines()).toMatchObject([
    { err: { type: 'EddyError', code: 'origin-broken', side: 'upstream', cause: { message: 'ECONNRESET' } } },
  ]);
});

it('what is logged is bounded', async () => {
  const { log, lines } = logTo('info');
  const circular: Record<string, unknown> = {
    text: 'x'.repeat(100_000),
    list: Array.from({ length: 10_000 }, () => 1),
  };
  circular['self'] = circular;
  log.info(circular, 'big');
  expect(JSON.stringify((await lines())[0]).length).toBeLessThan(100_000);
});

describe('the output', () => {
  it('drops lines that nobody reads, and says how many once somebody does', async () => {
    const written: string[] = [];
    const read = Promise.withResolvers<void>();
    const stalled = new Writable({
      decodeStrings: false,
      write: (chunk, _encoding, done) => {
        written.push(String(chunk));
        void read.promise.then(() => done());
      },
    });
    const output = new LineOutput(stalled);
    const line = `${'x'.repeat(1024 * 1024)}\n`;
    for (let i = 0; i < 20; i++) output.write(line);
    const flushed = output.flush();
    read.resolve();
    await flushed;
    const text = written.join('');
    expect(text.split('\n').filter((each) => each.startsWith('x'))).toHaveLength(16);
    expect(text).toContain('"lines":4,');
  });

  it('writes lines that may wait by themselves, and in order with those that may not', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const first = new LineOutput(new Writable({ write: (chunk) => resolve(String(chunk)) }));
    first.writeSoon('a\n');
    first.writeSoon('b\n');
    expect(await promise).toBe('a\nb\n');

    const next = Promise.withResolvers<string>();
    const second = new LineOutput(new Writable({ write: (chunk) => next.resolve(String(chunk)) }));
    second.writeSoon('c\n');
    second.write('d\n');
    second.writeSoon('e\n');
    expect(await next.promise).toBe('c\nd\ne\n');
  });

  it('writes many lines whole and in order, whatever is in them', async () => {
    const written: Buffer[] = [];
    const output = new LineOutput(
      new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          written.push(chunk);
          done();
        },
      }),
    );
    const texts = ['plain', 'Zürich', '録画', '🎬', 'x'.repeat(300_000), ''];
    const lines = Array.from({ length: 5_000 }, (_, i) => `${i} ${i % 500 === 4 ? texts[4] : texts[i % 4]}\n`);
    for (const [i, line] of lines.entries()) {
      if (i % 700 === 0) output.write(line);
      else output.writeSoon(line);
      if (i % 900 === 0) await new Promise(setImmediate);
      if (i % 1000 === 0) output.writeBytes(Buffer.from('from elsewhere\n'));
    }
    await output.flush();
    const all = Buffer.concat(written).toString().split('\n').slice(0, -1);
    expect(all.filter((line) => line === 'from elsewhere')).toHaveLength(5);
    expect(all.filter((line) => line !== 'from elsewhere').map((line) => `${line}\n`)).toEqual(lines);
  });

  it('leaves a broken stream alone', async () => {
    let writes = 0;
    const broken = new Writable({
      write: (_chunk, _encoding, done) => {
        writes++;
        done(new Error('EPIPE'));
      },
    });
    const output = new LineOutput(broken);
    output.write('a\n');
    await output.flush();
    output.write('b\n');
    await output.flush();
    expect(writes).toBe(1);
  });
});
