import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import hooks from 'eslint-plugin-react-hooks';
import { defineConfig } from 'eslint/config';
import typescript from 'typescript-eslint';

/** Imports go one way: plugin → app → views → services → model → wire. The model knows no library. */
const LAYERS = ['plugin', 'app', 'views', 'services', 'model', 'wire'];

function layer(name) {
  const above = LAYERS.slice(0, LAYERS.indexOf(name));
  const patterns = [
    { group: above.flatMap(one => [`**/${one}`, `**/${one}/**`]), message: 'imports go one way' }
  ];
  if (name === 'model' || name === 'wire') {
    patterns.push({ regex: '^[^.]', message: 'it is pure: no library' });
  }
  return { files: [`src/${name}/**`], rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

export default defineConfig(
  { ignores: ['lib', 'labextension', 'node_modules', 'stubs', '*.mjs', '*.mts', 'style/index.js'] },
  js.configs.recommended,
  typescript.configs.strictTypeChecked,
  prettier,
  {
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', 'tests/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname
      }
    },
    plugins: { 'react-hooks': hooks, jupyter },
    rules: {
      ...jupyter.configs.recommended.rules,
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off'
    }
  },
  ...LAYERS.slice(1).map(layer)
);
