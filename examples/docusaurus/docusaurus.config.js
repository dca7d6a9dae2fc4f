/** @type {import('@docusaurus/types').Config} */
export default {
  title: 'Docusaurus on Sphere',
  url: 'https://docusaurus.example.com',
  baseUrl: '/',
  onBrokenLinks: 'throw',
  presets: [['classic', { blog: false, theme: { customCss: './src/css/custom.css' } }]],
  themeConfig: {
    navbar: { title: 'Docusaurus on Sphere', items: [{ to: '/docs/start', label: 'Documents' }] },
  },
};
