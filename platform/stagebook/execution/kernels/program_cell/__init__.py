"""The folder that is put into the import path of a stage which runs a program: `import stagebook_program`."""
