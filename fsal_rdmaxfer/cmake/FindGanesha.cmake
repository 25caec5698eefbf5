# SPDX-License-Identifier: LGPL-3.0-or-later
# FindGanesha.cmake -- the installed nfs-ganesha and the headers that match it
#
# No distribution packages Ganesha's headers. They are taken from
#   GANESHA_SOURCE_DIR   a source tree of the same version, if given; else from
#   the distribution     Debian's source package of the installed version, fetched by ganesha-headers.py
# into RDMAXFER_CACHE_DIR (cache or environment variable; default: the build folder), once.
#
# Sets Ganesha_VERSION, Ganesha_PACKAGE_VERSION, Ganesha_LIBRARY, Ganesha_INCLUDE_DIR; defines
#   Ganesha::headers  its headers, with the config.h of its build included first
#   Ganesha::nfsd     the same and its library

set(Ganesha_SUPPORTED_VERSIONS 4.3)

set(GANESHA_SOURCE_DIR "" CACHE PATH "Source tree of the installed nfs-ganesha's version")
set(RDMAXFER_CACHE_DIR "$ENV{RDMAXFER_CACHE_DIR}" CACHE PATH
  "Where fetched headers are kept; several build folders may share it")

find_program(Ganesha_EXECUTABLE ganesha.nfsd PATHS /usr/sbin /usr/bin)
mark_as_advanced(Ganesha_EXECUTABLE)
if(NOT Ganesha_EXECUTABLE)
  message(FATAL_ERROR "ganesha.nfsd isn't installed. Install it (Debian: apt-get install nfs-ganesha), "
    "or build without the module: -DRDMAXFER_FSAL=OFF.")
endif()

# --- which version ---
find_program(Ganesha_DPKG_QUERY dpkg-query)
mark_as_advanced(Ganesha_DPKG_QUERY)
set(Ganesha_PACKAGE_VERSION "")
if(Ganesha_DPKG_QUERY)
  execute_process(
    COMMAND ${Ganesha_DPKG_QUERY} -W -f "\${Status}|\${source:Version}" nfs-ganesha
    OUTPUT_VARIABLE answer ERROR_QUIET)
  if(answer MATCHES "^install ok installed\\|(.+)$")
    set(Ganesha_PACKAGE_VERSION ${CMAKE_MATCH_1})
  endif()
endif()
if(Ganesha_PACKAGE_VERSION MATCHES "^([0-9]+:)?([0-9]+(\\.[0-9]+)*)")
  set(Ganesha_VERSION ${CMAKE_MATCH_2})
else()
  execute_process(COMMAND ${Ganesha_EXECUTABLE} -v OUTPUT_VARIABLE answer ERROR_VARIABLE answer)
  if(NOT answer MATCHES "Release = V([0-9]+(\\.[0-9]+)*)")
    message(FATAL_ERROR "'${Ganesha_EXECUTABLE} -v' doesn't tell its version but: ${answer}\n"
      "Install a packaged nfs-ganesha of one of these versions: ${Ganesha_SUPPORTED_VERSIONS}.")
  endif()
  set(Ganesha_VERSION ${CMAKE_MATCH_1})
endif()
list(JOIN Ganesha_SUPPORTED_VERSIONS ", " supported)
if(NOT Ganesha_VERSION IN_LIST Ganesha_SUPPORTED_VERSIONS)
  message(FATAL_ERROR "The installed nfs-ganesha ${Ganesha_VERSION} isn't one this module was written for. "
    "Supported: ${supported}. Install a supported one, or build without the module: -DRDMAXFER_FSAL=OFF.")
endif()

# --- its library ---
find_library(Ganesha_LIBRARY NAMES libganesha_nfsd.so.${Ganesha_VERSION} ganesha_nfsd
  PATH_SUFFIXES ganesha PATHS /usr/lib/ganesha)
mark_as_advanced(Ganesha_LIBRARY)
if(NOT Ganesha_LIBRARY)
  message(FATAL_ERROR "libganesha_nfsd.so.${Ganesha_VERSION} isn't found in /usr/lib/ganesha. Reinstall "
    "nfs-ganesha, or say where it is: -DGanesha_LIBRARY=FILE.")
endif()

# --- its headers ---
if(GANESHA_SOURCE_DIR)
  set(tree ${GANESHA_SOURCE_DIR})
  if(NOT EXISTS ${tree}/src/include/fsal_api.h)
    message(FATAL_ERROR "GANESHA_SOURCE_DIR=${tree} is no nfs-ganesha source tree: src/include/fsal_api.h "
      "is missing. Give the folder that holds 'src'.")
  endif()
else()
  if(RDMAXFER_CACHE_DIR)
    cmake_path(ABSOLUTE_PATH RDMAXFER_CACHE_DIR BASE_DIRECTORY ${PROJECT_BINARY_DIR}
      OUTPUT_VARIABLE cache)
  else()
    set(cache ${PROJECT_BINARY_DIR}/ganesha)
  endif()
  if(NOT Ganesha_PACKAGE_VERSION)
    message(FATAL_ERROR "nfs-ganesha ${Ganesha_VERSION} wasn't installed as a Debian package, so its headers "
      "can't be fetched. Unpack its sources and give their folder: -DGANESHA_SOURCE_DIR=DIR.")
  endif()
  string(REGEX REPLACE "[^A-Za-z0-9.+~-]" "_" name "nfs-ganesha-${Ganesha_PACKAGE_VERSION}")
  set(tree ${cache}/${name})
  if(NOT EXISTS ${tree}/src/include/fsal_api.h)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    message(STATUS "Fetching the headers of nfs-ganesha ${Ganesha_PACKAGE_VERSION} into ${tree}")
    execute_process(
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/ganesha-headers.py
        ${Ganesha_PACKAGE_VERSION} ${tree}
      RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "The headers of nfs-ganesha ${Ganesha_PACKAGE_VERSION} could not be fetched, for "
        "the reason above. Without network: unpack its sources elsewhere and give their folder, "
        "-DGANESHA_SOURCE_DIR=DIR; or build without the module: -DRDMAXFER_FSAL=OFF.")
    endif()
  endif()
endif()

file(STRINGS ${tree}/src/CMakeLists.txt lines REGEX "^set\\(GANESHA_(MAJOR|MINOR)_VERSION ")
string(REGEX REPLACE "[^0-9.]" "" tree_version "${lines}")
if(NOT tree_version VERSION_EQUAL Ganesha_VERSION)
  message(FATAL_ERROR "${tree} holds nfs-ganesha ${tree_version}, but ${Ganesha_VERSION} is installed "
    "(supported: ${supported}). Give the sources of the installed version: -DGANESHA_SOURCE_DIR=DIR, or leave "
    "GANESHA_SOURCE_DIR empty to have them fetched.")
endif()
set(Ganesha_INCLUDE_DIR ${tree}/src/include)

string(REPLACE . _ suffix ${Ganesha_VERSION})
set(Ganesha_CONFIG_DIR ${PROJECT_BINARY_DIR}/ganesha-config)
configure_file(${CMAKE_CURRENT_LIST_DIR}/../ganesha_config_${suffix}.h ${Ganesha_CONFIG_DIR}/config.h
  COPYONLY)

# What those headers include.
xfer_require(URCU liburcu-bp liburcu-dev)
xfer_require(GSSAPI krb5-gssapi libkrb5-dev)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Ganesha
  REQUIRED_VARS Ganesha_LIBRARY Ganesha_INCLUDE_DIR VERSION_VAR Ganesha_VERSION)

if(NOT TARGET Ganesha::headers)
  add_library(Ganesha::headers INTERFACE IMPORTED GLOBAL)
  target_include_directories(Ganesha::headers SYSTEM INTERFACE
    ${Ganesha_CONFIG_DIR} ${Ganesha_INCLUDE_DIR} ${Ganesha_INCLUDE_DIR}/os/linux
    ${NTIRPC_INCLUDE_DIRS} ${URCU_INCLUDE_DIRS} ${GSSAPI_INCLUDE_DIRS})
  # Ganesha's headers cast freely and don't all include config.h, on which structure layouts depend.
  target_compile_options(Ganesha::headers INTERFACE
    -fno-strict-aliasing "SHELL:-include ${Ganesha_CONFIG_DIR}/config.h")
  target_compile_definitions(Ganesha::headers INTERFACE LINUX)

  add_library(Ganesha::nfsd SHARED IMPORTED GLOBAL)
  set_target_properties(Ganesha::nfsd PROPERTIES
    IMPORTED_LOCATION ${Ganesha_LIBRARY}
    INTERFACE_LINK_LIBRARIES "Ganesha::headers;PkgConfig::NTIRPC")
endif()
