import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, so that no core is idle at the end; players apart from each other, for they need one in time. */
const first = [
  'player/players',
  'fuzz/live-playlists',
  'path/random-ranges',
  'fault/node-signals',
  'player/live',
  'fault/disk-corruption',
  'path/disk-tier',
  'fuzz/http-lean',
  'fault/cell-relay',
  'player/live-ffmpeg',
  'fault/cell-split',
  'fault/disk-kill',
  'player/sample-page',
  'fuzz/peer-protocol',
  'path/cli',
  'peers/live-audience',
  'player/live-faults',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = first.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? first.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    // Real sockets, stores and browsers share two cores: a few files at a time keeps deadlines honest.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    passWithNoTests: false,
    sequence: { sequencer: LongestFirst },
    // Tests start nodes some hundred times, and half of a start is stripping types and compiling.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    projects: [
      { extends: true, test: { name: 'node', include: ['test/**/*.test.ts'], exclude: ['test/unit/**'] } },
      // Nothing in them outlives a test, so files share workers.
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
    ],
  },
});
