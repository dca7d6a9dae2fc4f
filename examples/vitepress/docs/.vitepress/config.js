import { defineConfig } from 'vitepress';

export default defineConfig({
  title: 'VitePress on Sphere',
  description: 'A small site of documents',
  themeConfig: {
    sidebar: [
      { text: 'Start', link: '/start' },
      { text: 'About', link: '/about' },
    ],
  },
});
