import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderCatalogue } from './catalogue.ts';
import { rules } from './registry.ts';

/** `npm run docs`: writes CATALOGUE.md anew. */
writeFileSync(join(import.meta.dirname, 'CATALOGUE.md'), renderCatalogue(rules));
