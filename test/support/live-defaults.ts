import { mapWithDefaults } from '../../src/config/maps.ts';

/** What the live mirror does where a map does not say anything of it. */
export const liveDefaults = mapWithDefaults({ name: 'default', origins: ['https://origin.example'] }).live;
