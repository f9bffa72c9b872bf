# The example program, built against the shared library as a user would and run on the demo data.
add_executable(train_and_recommend ${PROJECT_SOURCE_DIR}/examples/train_and_recommend.c)
target_link_libraries(train_and_recommend PRIVATE diptych dip_flags)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/example)
file(MAKE_DIRECTORY ${folder})
add_test(NAME example/train_and_recommend COMMAND train_and_recommend
  ${PROJECT_SOURCE_DIR}/data/packages-small/project.yaml ${folder})
set_tests_properties(example/train_and_recommend PROPERTIES LABELS example TIMEOUT 300)
