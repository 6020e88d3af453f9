import { after, before, describe } from 'node:test';
import { databases } from '../support/database.mjs';
import { startNatter } from '../support/natter.mjs';
import { newcomer } from '../support/people.mjs';

/** Declares the tests of `declare` once for each database; they find their server, Alice and Bob on the stage. */
export function onEachDatabase(declare) {
  for (const database of databases) {
    describe(`on ${database}`, () => {
      const stage = {};
      before(async () => {
        stage.natter = await startNatter(database);
        [stage.alice, stage.bob] = await Promise.all(['alice', 'bob'].map(name => newcomer(stage.natter, name)));
      });
      after(() => stage.natter?.remove());
      declare(stage);
    });
  }
}
